# Every third-party library, by imported target only. tools/setup installs them; tools/packages.txt names them.

# The header-only msgpack package cannot be installed beside Boost 1.81 on Debian 12, so tools/setup unpacks it here.
list(APPEND CMAKE_PREFIX_PATH ${CMAKE_SOURCE_DIR}/build/deps/usr)

find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS headers)
find_package(cppzmq REQUIRED)
find_package(RocksDB REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(PkgConfig REQUIRED)
pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

find_path(MSGPACK_INCLUDE_DIR msgpack.hpp REQUIRED)
add_library(millrace_msgpack INTERFACE)
target_include_directories(millrace_msgpack SYSTEM INTERFACE ${MSGPACK_INCLUDE_DIR})
target_compile_definitions(millrace_msgpack INTERFACE MSGPACK_NO_BOOST)

add_library(millrace_asio INTERFACE)
target_link_libraries(millrace_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(millrace_asio INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY)
