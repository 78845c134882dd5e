// The buckets and transforms that the cluster should have. Every change raises the version; targets that are behind are sent
// the whole. Pure: the caller writes it down before it tells anybody.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "core/result.h"
#include "wire/messages.h"

namespace millrace::scheduler {

inline constexpr std::size_t kRevokedMax = 10'000;

class DesiredCatalog {
public:
    // destroyed_at: the version that each of the destroyed uids came with; those that are missing there came with this one.
    explicit DesiredCatalog(wire::Catalog catalog, std::map<std::string, std::uint64_t> destroyed_at = {});

    const wire::Catalog& wire() const { return catalog_; }
    const std::map<std::string, std::uint64_t>& destroyed_at() const { return destroyed_at_; }
    const wire::BucketEntry* bucket(const std::string& name) const;
    const wire::TransformEntry* transform(const std::string& name) const;

    // Code::already_exists and Code::not_found as the name says.
    Result<void> create_bucket(const std::string& name, std::uint64_t small_object_bytes_max, std::int64_t now_unix_ns);
    Result<void> destroy_bucket(const std::string& name);
    Result<void> rename_bucket(const std::string& from, const std::string& to);
    Result<void> add_transform(const std::string& name, const std::string& spec_json);
    Result<void> remove_transform(const std::string& name);
    Result<void> enable_transform(const std::string& name, bool enabled);
    // The content that the image of a container stands for, on every target from now on; changes nothing where one is known.
    Result<void> set_image(const std::string& name, const std::string& image);
    // Another program behind the same words: its image is looked up again.
    Result<void> set_specification(const std::string& name, const std::string& spec_json);

    // Replaces what was said of the same token or subject. Code::overloaded beyond kRevokedMax.
    Result<void> revoke(wire::RevokedEntry entry, std::int64_t now_unix);

    // Destroyed uids that every member has applied are told no more. False when there is none. Raises no version: who has them keeps them.
    bool drop_destroyed(std::uint64_t applied_by_all);
    // What targets have of a newer proxy becomes what they should have, under a version beyond both, and beyond those of lives that no target
    // here has heard of: lives since the copy was made, this one included, as Leadership::lives_since_copy().
    void overtake(const wire::Catalog& of_targets, std::uint64_t version_seen, std::uint64_t lives);

private:
    Result<void> check_free(const std::string& bucket_name) const;

    wire::Catalog catalog_;
    std::map<std::string, std::uint64_t> destroyed_at_;
};

Error unknown_bucket(const std::string& name);
Error unknown_transform(const std::string& name);

}  // namespace millrace::scheduler
