# The system headers that most files include, parsed once instead of in every file. None of ours: one that changes would
# build everything again.
option(MILLRACE_PRECOMPILE "Precompile system headers" ON)

set(millrace_system_headers
  <algorithm> <array> <atomic> <charconv> <chrono> <deque> <expected> <filesystem> <fstream> <functional> <list> <map> <memory> <mutex>
  <optional> <ranges> <set> <span> <sstream> <string> <thread> <unordered_map> <variant> <vector>
  <boost/asio/any_io_executor.hpp> <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp> <boost/asio/bind_cancellation_slot.hpp>
  <boost/asio/buffer.hpp> <boost/asio/cancellation_signal.hpp> <boost/asio/co_spawn.hpp> <boost/asio/executor_work_guard.hpp>
  <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/local/stream_protocol.hpp> <boost/asio/posix/stream_descriptor.hpp>
  <boost/asio/post.hpp> <boost/asio/steady_timer.hpp> <boost/asio/this_coro.hpp> <boost/asio/thread_pool.hpp> <boost/asio/use_awaitable.hpp>
  <boost/asio/use_future.hpp> <nlohmann/json.hpp> <msgpack.hpp>)

# millrace_precompiled(NAME HEADERS <a> ... OPTIONS flags ...): what other targets name with REUSE_FROM. Flags must be theirs.
function(millrace_precompiled name)
  cmake_parse_arguments(arg "" "" "HEADERS;OPTIONS;DEPS" ${ARGN})
  set(source ${CMAKE_BINARY_DIR}/precompiled.cc)  # a library needs one
  if(NOT EXISTS ${source})
    file(WRITE ${source} "")
  endif()
  add_library(${name} STATIC ${source})
  target_link_libraries(${name} PRIVATE millrace_settings millrace_asio millrace_msgpack nlohmann_json::nlohmann_json ${arg_DEPS})
  target_compile_options(${name} PRIVATE ${arg_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${millrace_system_headers} ${arg_HEADERS})
endfunction()

function(millrace_use_precompiled target name)
  if(MILLRACE_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()
