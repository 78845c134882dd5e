// What is known of an object, as headers of HTTP requests and replies. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "core/ids.h"
#include "http/conditions.h"
#include "http/message.h"
#include "store/object_store.h"

namespace millrace::worker {

using CustomMetadata = std::map<std::string, std::string>;

// Names the content, for as long as it stays: made of its version and its checksum, so that neither bytes with the same checksum nor a version
// that came back with an older folder have the tag of another content. Quoted, and strong.
std::string entity_tag(const store::ObjectInfo& info);
http::Validators validators_of(const store::ObjectInfo& info);
// Of what is known of an object where its content is not sent.
http::Headers validator_headers(const store::ObjectInfo& info);
// Of a request whose header (http/conditions.h) demands another state of the object; answered with 412.
Error unfulfilled(std::string_view header);
// Of the content: for replies to GET, HEAD and PUT. self: the target that says it.
http::Headers object_headers(const store::ObjectInfo& info, const TargetId& self);
// Of the place: HEAD has these too.
void add_place_headers(http::Headers& headers, const TargetId& self, const std::string& bucket, const std::string& name);

// HEAD with props=LIST: takes those headers away that the list does not name; those that are not among AIStore's properties stay. An empty list
// names all. Code::invalid_argument for what is no property.
Result<void> keep_properties(http::Headers& headers, std::string_view list);

// What the client says of the content of its body.
struct ExpectedContent {
    struct Digest {
        std::string kind;  // md5, crc32c, sha256, sha512
        std::string hex;   // in small letters
    };
    std::optional<std::uint64_t> checksum;  // XXH64
    std::optional<Digest> digest;           // or one of another kind
};
// From Ais-Checksum-Type, in which "xxhash" and "xxhash2" are both XXH64, and Ais-Checksum-Value; without a value nothing is expected.
// Code::invalid_argument for a kind that is not known, or a value that cannot be of it.
Result<ExpectedContent> expected_content(const http::Headers& headers);

// Custom metadata of a PUT: "Ais-Custom-Md: k=v, k=v", in one header or in several, or, exact for any key and value, "Millrace-Custom-Md" in
// the form of a query string.
Result<CustomMetadata> custom_metadata(const http::Headers& headers);
// For Millrace-Custom-Md.
std::string exact_custom_text(const CustomMetadata& custom);

}  // namespace millrace::worker
