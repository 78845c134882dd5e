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

}  // namespace millrace::runtime
