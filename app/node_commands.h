// `millrace proxy`, `millrace target` and `millrace dev`: the commands that run nodes until they are told to stop.
#pragma once

namespace millrace::app {

// Exit status: 0 after a clean stop, 2 for bad arguments or configuration, 1 when the node could not start, 74 when it ended because nothing
// could be written down any more. One whose disk has no room waits for some before it opens its store.
int run_proxy(int argc, char** argv);
int run_target(int argc, char** argv);
// A proxy and N targets as child processes of this one.
int run_dev(int argc, char** argv);

}  // namespace millrace::app
