#include "runtime/pid_file.h"

#include <cerrno>
#include <fstream>

namespace millrace::runtime {

Result<void> write_pid_file(const std::string& file, const PidRecord& record) {
    errno = 0;
    std::ofstream out(file, std::ios::trunc);
    out << record.pid << ' ' << record.start_time << ' ' << record.realm << ' '
        << (record.socket_folder.empty() ? "-" : record.socket_folder) << '\n';
    out.close();
    if (!out) return errno_error("cannot write " + file, errno == 0 ? EIO : errno);
    return {};
}

std::optional<PidRecord> read_pid_file(const std::string& file) {
    std::ifstream in(file);
    PidRecord record;
    in >> record.pid >> record.start_time >> record.realm >> record.socket_folder;
    if (!in || record.pid <= 1) return std::nullopt;
    return record;
}

}  // namespace millrace::runtime
