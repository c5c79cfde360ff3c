// Profiles: any text is refused with a sentence that has a place and is printable, or gives settings
// that can be applied; and no profile of a stranger's, whatever it says, loosens anything.
#include <algorithm>

#include "base/printable.hpp"
#include "input.hpp"
#include "profile/document.hpp"

namespace {

using namespace cellblock;
using namespace cellblock::profile;

void check_sentence(const Error& error) {
    CHECK(error.what().starts_with("read fuzz"));
    const std::string sentence = error.sentence();
    CHECK(printable_sentence(sentence).size() ==
          sentence.size() + 4 * size_t(std::ranges::count(sentence, '\n')));
}

void check_document(const Node& root, Extent extent) {
    const auto document = read_document(root, extent);
    if (!document) return check_sentence(document.error());
    for (const auto* entries : {&document->entries, &document->ceilings})
        for (const Entry& entry : *entries) {
            // What is not for strangers to say is not read at all.
            if (extent == Extent::settings && !entry.setting->strangers_may_tighten) continue;
            session::LaunchOptions wanted;
            apply(*entry.setting, entry.text, wanted).value();
            // One spelling: what is written is read as the same.
            session::LaunchOptions again;
            apply(*entry.setting, value_of(*entry.setting, wanted), again).value();
            CHECK(value_of(*entry.setting, again) == value_of(*entry.setting, wanted));
            // Tightening by it and then by the default is the default at most.
            session::LaunchOptions met;
            tighten(*entry.setting, met, wanted);
            const std::string tight = value_of(*entry.setting, met);
            tighten(*entry.setting, met, session::LaunchOptions{});
            CHECK(value_of(*entry.setting, met) == tight);
        }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(fuzz::as_text(data, size));
    for (const auto& root : {parse_toml(text, "fuzz"), parse_notebook(text, "fuzz")}) {
        if (!root) {
            if (root.error().what().starts_with("read the notebook")) continue;
            check_sentence(root.error());
            continue;
        }
        for (const Extent extent : {Extent::base_and_ceiling, Extent::settings})
            check_document(*root, extent);
    }
    return 0;
}
