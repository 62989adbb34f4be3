/*
 * Small changes to a text that leave its meaning, and so its label, alone. Pure; reproducible from
 * the generator.
 *
 * case         all lower, all upper, or the first letter of each word raised
 * typos        about one letter in twenty (at least one): replaced by a neighbour on the QWERTY
 *              keyboard, doubled, dropped, or swapped with the next
 * drop-words   about one word in ten (at least one, never the last one left) goes; words of negation
 *              stay, because without them the label may turn
 * whitespace   spaces doubled, or put before or after the text
 * punctuation  full stops, commas, exclamation marks and question marks at the end of words dropped
 *              or repeated
 *
 * Only ASCII bytes are changed, so UTF-8 stays whole.
 */
#ifndef FW_AUGMENT_TEXT_H
#define FW_AUGMENT_TEXT_H

#include "pipeline/base/buf.h"
#include "pipeline/base/rng.h"

enum fw_text_change {
    FW_TEXT_CASE,
    FW_TEXT_TYPOS,
    FW_TEXT_DROP_WORDS,
    FW_TEXT_WHITESPACE,
    FW_TEXT_PUNCTUATION,
    FW_TEXT_CHANGES
};

const char *fw_text_change_name(enum fw_text_change c);
/* Appends the changed text. It may come out unchanged when there is nothing to change (an empty
 * text, a single word for drop-words). FW_ENOMEM. */
int fw_text_change(enum fw_text_change how, const char *text, size_t n, struct fw_rng *rng,
                   struct fw_buf *out, struct fw_err *err);

#endif
