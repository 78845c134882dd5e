// A transform in C++: a grey image (binary PGM) in, one of half its width and height out. Speaks the stream protocol through sdk/cpp.
#include <cctype>
#include <cstdint>
#include <string>

#include "sdk/cpp/millrace_transform.h"

namespace {

constexpr std::size_t kSideMax = 65'535;

// The next number of the header; spaces before it are skipped.
std::size_t take_number(std::string_view& image) {
    while (!image.empty() && std::isspace(static_cast<unsigned char>(image.front()))) image.remove_prefix(1);
    std::size_t number = 0;
    std::size_t digits = 0;
    for (; !image.empty() && std::isdigit(static_cast<unsigned char>(image.front())); image.remove_prefix(1), ++digits) {
        number = 10 * number + static_cast<std::size_t>(image.front() - '0');
        if (number > kSideMax) break;
    }
    if (digits == 0 || number == 0 || number > kSideMax) throw millrace::Reject("its header lacks a number from 1 to 65535");
    return number;
}

std::string half(std::string_view image, std::string_view /*name*/, std::string_view /*args*/) {
    if (image.substr(0, 2) != "P5") throw millrace::Reject("does not begin as a binary PGM does");
    image.remove_prefix(2);
    const std::size_t width = take_number(image), height = take_number(image);
    if (take_number(image) != 255) throw millrace::Reject("has not 256 shades");
    image.remove_prefix(image.empty() ? 0 : 1);
    if (image.size() != width * height) throw millrace::Reject("has " + std::to_string(image.size()) + " pixels");
    if (width < 2 || height < 2) throw millrace::Reject("is too small to be halved");
    std::string out = "P5\n" + std::to_string(width / 2) + ' ' + std::to_string(height / 2) + "\n255\n";
    const auto pixel = [&](std::size_t x, std::size_t y) { return static_cast<unsigned char>(image[y * width + x]); };
    for (std::size_t y = 0; y + 1 < height; y += 2) {
        for (std::size_t x = 0; x + 1 < width; x += 2) {
            out.push_back(static_cast<char>((pixel(x, y) + pixel(x + 1, y) + pixel(x, y + 1) + pixel(x + 1, y + 1)) / 4));
        }
    }
    return out;
}

}  // namespace

int main() { return millrace::serve(half); }
