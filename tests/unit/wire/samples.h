// One message of every type, with a value in every member.
#pragma once
#include <string>
#include <vector>

#include "wire/codec.h"

namespace millrace::wire {

struct Sample {
    std::string name;
    Message message;
};
std::vector<Sample> samples();

}  // namespace millrace::wire
