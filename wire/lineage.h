// Which copy of its folder a node runs from. A node and those that it talks to remember it of each other, durably: so a folder
// restored from an older copy, an empty one in its place, and one that runs twice are noticed instead of believed. Pure.
#pragma once
#include <cstdint>
#include <msgpack.hpp>
#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::wire {

inline constexpr std::size_t kIdBytesMax = 128;

struct Lineage {
    std::string store_id;               // made with the folder; empty: not told, by a Millrace from before there were lineages
    std::vector<std::string> branches;  // one more each time that a copy was accepted in the place of what others knew; newest last
    std::uint64_t generation = 0;       // rises with each start, unless nobody came to know the one before
    std::uint64_t age = 0;              // durable changes of the folder. Of the node itself: as of its opening; as others remember it: the newest told
    std::string boot_id;                // of the process
    MSGPACK_DEFINE_MAP(store_id, branches, generation, age, boot_id)
    Result<void> validate() const;
    friend bool operator==(const Lineage&, const Lineage&) = default;
};

// What a node keeps about itself. A start that nobody came to know does not count: or a copy that is refused would catch up by being
// started again and again.
struct OwnLineage {
    std::vector<std::string> branches;
    std::uint64_t generation = 0;
    std::uint64_t age = 0;   // of the folder, when the first start of this generation opened it
    bool met = true;         // somebody may know this generation
    MSGPACK_DEFINE_MAP(branches, generation, age, met)
};
// What is to be durable before a node that starts says anything to anybody.
OwnLineage next_start(OwnLineage last, std::uint64_t age_at_opening);

enum class Kinship {
    same,          // what was known, grown older; or not told
    other_folder,  // an empty folder in the place of the known one, or another node's
    older_copy,    // something is missing that was durable
    twin,          // a copy as old as what is known, started beside it or after it
    other_branch,  // another copy was accepted in its place
};

// What a node that comes is, to one that remembers `known` of it.
Kinship compare(const Lineage& known, const Lineage& comes);
// The sentence about it that others than `same` need: what is wrong with the node that comes. `it` is a noun: "target t-1".
std::string describe(Kinship kinship, const std::string& it, const Lineage& known, const Lineage& comes);

inline constexpr std::size_t kBranchesMax = 64;  // older ones are dropped
void add_branch(std::vector<std::string>& branches, std::string branch);

}  // namespace millrace::wire
