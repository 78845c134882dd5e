// An authority of one's own, and certificates for nodes that it has signed (X.509, P-256). Folders and files are closed to others. OpenSSL does the
// work. Any thread; writes files.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace millrace::auth {

struct Authority {
    std::string key;          // files: stays with the operator
    std::string certificate;  // what everybody believes
};
// Makes FOLDER/ca.key and FOLDER/ca.pem, good for ten years. Code::already_exists where one is there.
Result<Authority> make_authority(const std::string& folder);

struct NodeCertificate {
    std::string name;                // of the node: letters, digits, '-', '_' and '.'
    std::vector<std::string> hosts;  // names and addresses by which it is reached
    int days = 365;                  // 1 to 3650
    std::int64_t begins_unix = 0;    // 0: five minutes ago, for clocks that are behind
    std::string out;                 // folder for NAME.key and NAME.pem; empty: that of the authority
};
struct IssuedCertificate {
    std::string key;
    std::string certificate;
};
// Signed by the authority in the folder, for servers and clients. Code::already_exists where its files are there.
Result<IssuedCertificate> issue_certificate(const std::string& folder, const NodeCertificate& node);

}  // namespace millrace::auth
