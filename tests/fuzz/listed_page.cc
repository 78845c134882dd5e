// Pages of listings, as targets send them: what is read can be written again, and means the same.
#include "wire/listed_page.h"

#include "core/check.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

namespace {

std::string written(const wire::ListedPage& page) {
    wire::ListedPageWriter writer;
    for (const wire::ListedRow& row : page.rows()) {
        wire::for_each_custom(row.custom, [](std::string_view, std::string_view) {});
        writer.add(row);
    }
    return std::move(writer).finish(page.last(), page.is_at_end());
}

}  // namespace

void fuzz(std::string_view bytes) {
    wire::ListedPage page{std::string(bytes)};
    if (!page.read()) return;
    const std::string text = written(page);
    wire::ListedPage again{std::string(text)};
    MILLRACE_CHECK(again.read() && written(again) == text);
}
