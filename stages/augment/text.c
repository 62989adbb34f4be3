#include "stages/augment/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const char *const names[FW_TEXT_CHANGES] = {"case", "typos", "drop-words", "whitespace",
                                                   "punctuation"};

/* The keys beside each letter, a to z. */
static const char *const beside[26] = {
    "qwsz",   "vghn",  "xdfv", "serfcx", "wsdr", "drtgvc", "ftyhbv", "gyujnb", "ujko",
    "huikmn", "jiolm", "kop",  "njk",    "bhjm", "iklp",   "ol",     "wa",     "edft",
    "awedxz", "rfgy",  "yhji", "cfgb",   "qase", "zsdc",   "tghu",   "asx"};

/* Dropping one of these can turn the meaning round. */
static const char *const keep[] = {"not",     "no",   "never",   "without", "none",
                                   "nothing", "nor",  "neither", "cannot",  "cant",
                                   "dont",    "isnt", "wasnt",   "wont"};

const char *fw_text_change_name(enum fw_text_change c)
{
    return names[c];
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void change_case(const char *s, size_t n, struct fw_rng *rng, struct fw_buf *out)
{
    uint64_t how = fw_rng_below(rng, 3);

    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || space(s[i - 1]), up = how == 1 || (how == 2 && first);
        char c = s[i];
        if (letter(c) && (how != 2 || first))
            c = (char)(up ? c & ~32 : c | 32);
        fw_buf_putc(out, c);
    }
}

static size_t count_letters(const char *s, size_t n)
{
    size_t letters = 0;
    for (size_t i = 0; i < n; i++)
        letters += letter(s[i]);
    return letters;
}

/* Writes the letter at s[i] wrongly; returns how many bytes were used up. */
static size_t typo(const char *s, size_t n, size_t i, struct fw_rng *rng, struct fw_buf *out)
{
    bool upper = s[i] >= 'A' && s[i] <= 'Z';
    const char *keys = beside[(s[i] | 32) - 'a'];

    switch (fw_rng_below(rng, 4)) {
    case 0:
        fw_buf_putc(out, s[i]);
        fw_buf_putc(out, s[i]);
        return 1;
    case 1:
        return 1;
    case 2:
        if (i + 1 < n && letter(s[i + 1]) && s[i + 1] != s[i]) {
            fw_buf_putc(out, s[i + 1]);
            fw_buf_putc(out, s[i]);
            return 2;
        }
        /* fall through */
    default: {
        char c = keys[fw_rng_below(rng, strlen(keys))];
        fw_buf_putc(out, (char)(upper ? c & ~32 : c));
        return 1;
    }
    }
}

static void change_typos(const char *s, size_t n, struct fw_rng *rng, struct fw_buf *out)
{
    size_t letters = count_letters(s, n), left = letters, want = (letters + 19) / 20;

    for (size_t i = 0; i < n;) {
        if (!letter(s[i])) {
            fw_buf_putc(out, s[i++]);
            continue;
        }
        /* `want` of the letters that are left, each equally likely (Knuth, algorithm S) */
        bool hit = want && fw_rng_below(rng, left) < want;
        if (!hit) {
            fw_buf_putc(out, s[i++]);
            left--;
            continue;
        }
        size_t used = typo(s, n, i, rng, out);
        want--;
        left -= used;
        want = want < left ? want : left;
        i += used;
    }
}

static bool may_go(const char *word, size_t n)
{
    char bare[16];
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (!letter(word[i]))
            continue;
        if (len + 1 == sizeof bare)
            return true;
        bare[len++] = word[i];
    }
    bare[len] = '\0';
    if (len > 3 && strcasecmp(bare + len - 2, "nt") == 0)
        return false; /* didn't, couldn't */
    for (size_t k = 0; k < sizeof keep / sizeof *keep; k++)
        if (strcasecmp(bare, keep[k]) == 0)
            return false;
    return true;
}

/* The next word from *at on, its length; 0 at the end. */
static size_t next(const char *s, size_t n, size_t *at)
{
    while (*at < n && space(s[*at]))
        (*at)++;
    size_t end = *at;
    while (end < n && !space(s[end]))
        end++;
    return end - *at;
}

static void change_drop(const char *s, size_t n, struct fw_rng *rng, struct fw_buf *out)
{
    size_t words = 0, droppable = 0, len, written = 0;

    for (size_t at = 0; (len = next(s, n, &at)) > 0; at += len) {
        words++;
        droppable += may_go(s + at, len);
    }
    size_t want = words < 2 ? 0 : (words + 9) / 10;
    want = want < droppable ? want : droppable;
    want = want < words ? want : words - 1;
    size_t left = droppable;
    for (size_t at = 0; (len = next(s, n, &at)) > 0; at += len) {
        if (may_go(s + at, len) && fw_rng_below(rng, left--) < want) {
            want--;
            continue;
        }
        if (written++)
            fw_buf_putc(out, ' ');
        fw_buf_add(out, s + at, len);
    }
}

static void change_space(const char *s, size_t n, struct fw_rng *rng, struct fw_buf *out)
{
    if (n && fw_rng_below(rng, 2))
        fw_buf_putc(out, ' ');
    for (size_t i = 0; i < n; i++) {
        fw_buf_putc(out, s[i]);
        if (s[i] == ' ' && fw_rng_below(rng, 5) == 0)
            fw_buf_putc(out, ' ');
    }
    if (n)
        fw_buf_putc(out, ' ');
}

static void change_marks(const char *s, size_t n, struct fw_rng *rng, struct fw_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        /* Only at the end of a word, and a single one: "3.5" and "..." stay. */
        bool mark = strchr(".,!?", s[i]) && s[i] && (i + 1 == n || space(s[i + 1])) && i &&
                    !space(s[i - 1]) && !strchr(".,!?", s[i - 1]);
        uint64_t how = mark ? fw_rng_below(rng, 3) : 2;
        if (how == 0)
            continue;
        fw_buf_putc(out, s[i]);
        if (how == 1)
            fw_buf_putc(out, s[i]);
    }
}

int fw_text_change(enum fw_text_change how, const char *text, size_t n, struct fw_rng *rng,
                   struct fw_buf *out, struct fw_err *err)
{
    typedef void change_fn(const char *, size_t, struct fw_rng *, struct fw_buf *);
    static change_fn *const changes[FW_TEXT_CHANGES] = {change_case, change_typos, change_drop,
                                                        change_space, change_marks};

    fw_buf_puts(out, ""); /* so that out->p is a text even when nothing follows */
    changes[how](text, n, rng, out);
    return out->failed ? fw_err_nomem(err) : FW_OK;
}
