// Kubernetes' resource quantities: "500m", "0.5", "2" processors; "64Mi", "1.5Gi", "128M", "129e6" bytes. Pure.
#pragma once
#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace millrace::spec {

// Thousandths of a processor and bytes; both rounded up, as Kubernetes does.
Result<std::uint32_t> parse_cpu_quantity(std::string_view text);
Result<std::uint64_t> parse_memory_quantity(std::string_view text);

}  // namespace millrace::spec
