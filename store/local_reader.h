// Reads the content of one object, or a part of it, from the database or from its file.
//
// One task at a time; blocks for the time of a read. A reader keeps the version it opened, whatever happens to the name.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/mountpath.h"
#include "store/object_index.h"
#include "store/object_store.h"

namespace millrace::store {

// Code::corrupt when record and content do not fit together: the object is damaged, or it was replaced just now.
// label: what errors call the object.
Result<std::unique_ptr<ObjectReader>> open_object(const ObjectIndex& index, const Mountpaths& mountpaths, const std::string& key,
                                                  const std::string& label, const ChoosePart& choose);

// Many at once, which costs each less, in the order of the keys; null for what is not there, or seems damaged: open_object() says why.
// label: what errors call the one at a place.
std::vector<std::unique_ptr<ObjectReader>> open_objects(const ObjectIndex& index, const Mountpaths& mountpaths, std::span<const std::string> keys,
                                                        const std::function<std::string(std::size_t)>& label);

}  // namespace millrace::store
