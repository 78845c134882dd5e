// Removing a folder that strangers wrote into: whatever they made of it, nothing outside of it is touched.
//
// Links are not followed and mounts are not entered: a mount in the folder is detached. Any depth takes the same stack and the same
// few descriptors, and folders that their owner may not enter are opened up first. Blocks; any thread.
#pragma once
#include <cstddef>
#include <string>

#include "core/result.h"

namespace millrace::runtime {

// True when nothing is left at the path, also when there was nothing; false when there was more than entries_max to remove, and some
// of it still is. Errors name the first obstacle.
Result<bool> remove_tree(const std::string& path, std::size_t entries_max);

// The same without a bound, by and by, on a thread that works for the whole process. What it has not done when the process ends is found
// by the next one. What cannot be removed is logged.
void remove_tree_later(std::string path);

// Moves the folder to a name of its own beside it and removes it: at_once_max entries right now, what is left by and by. The path is
// free when this returns, unless it fails.
Result<void> clear_path(const std::string& path, std::size_t at_once_max = 256);

}  // namespace millrace::runtime
