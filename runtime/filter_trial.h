// The trial of a filter at its start: whether forking its children gives what spawning them gives, and sooner.
//
// It runs the filter on two small objects that are not there, a few times each way. They differ in everything that an object has, so
// what was remembered of the one when the program was loaded shows with the other.
#pragma once
#include "runtime/filter_run.h"

namespace millrace::runtime {

// Success: fork. Else why not, in a few words. On one executor, until stopped or a bounded time has passed; children can be killed.
// folder: for those that its runs work in.
Task<Result<void>> try_forking(const TransformSpec& spec, const FilterProgram& program, const std::string& library,
                               FilterProcesses& processes, const std::string& folder, Executor executor);

// Runs the filter of a shell's text once, on a small object that is not there: a command in it that cannot be found shows at the start,
// and not with each object. Fails with what was printed for that (Code::not_found; exit status 126, 127). Otherwise what an
// end with success printed beside, which may be a complaint; empty: nothing. How a trial ends otherwise says nothing.
Task<Result<std::string>> try_shell(const TransformSpec& spec, const FilterProgram& program, FilterProcesses& processes, const std::string& folder,
                                    Executor executor);

}  // namespace millrace::runtime
