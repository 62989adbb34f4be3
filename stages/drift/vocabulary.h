/*
 * Words of two sets of documents, counted as they stream by: memory is that of the different words.
 *
 * A word is a run of ASCII letters, digits and bytes of 128 and up, in lower case (ASCII), cut
 * at a character after at most FW_WORD_MAX bytes. Not thread-safe; each vocabulary belongs to one thread at a time.
 */
#ifndef FW_DRIFT_VOCABULARY_H
#define FW_DRIFT_VOCABULARY_H

#include <stddef.h>

#include "pipeline/base/err.h"

enum { FW_WORD_MAX = 64, FW_VOCABULARY_CELLS = 2000 };
enum { FW_REFERENCE, FW_PRODUCTION, FW_SIDES };

struct fw_vocabulary;

struct fw_vocabulary *fw_vocabulary_new(void); /* NULL when memory is out */
void fw_vocabulary_free(struct fw_vocabulary *v);
/* Counts the words of one document of a side. FW_ENOMEM. */
int fw_vocabulary_add(struct fw_vocabulary *v, int side, const char *text, size_t n,
                      struct fw_err *err);

/* Running words of a side so far. */
double fw_vocabulary_size(const struct fw_vocabulary *v, int side);

struct fw_word_move {
    const char *word;             /* borrowed from the vocabulary */
    double reference, production; /* shares of all words */
};

struct fw_vocabulary_drift {
    double words[FW_SIDES];     /* running words */
    double known;               /* different words in the reference */
    double js;                  /* Jensen–Shannon divergence in bits over the cells */
    double js_chance;           /* what it would be about without drift */
    double chi2, df, p;         /* p is NaN when there is nothing to compare */
    double design;              /* the mean design effect that chi2 is divided by for p; ≥ 1 */
    double unseen;              /* share of production's words that the reference does not have */
    double unseen_chance;       /* expected without drift */
    struct fw_word_move top[8]; /* greatest contributions to the divergence first */
    size_t n_top;
};

/*
 * Compares the two sides over at most FW_VOCABULARY_CELLS cells: the most frequent words, and one cell
 * for all others.
 *
 * Words of one document come together, so Pearson's chi-squared finds far too much. It is divided by
 * the mean design effect of the word shares, estimated from their variance between documents (Rao and
 * Scott 1981, first-order correction; 1987 for two samples): for a side with word shares p, words L_d
 * and counts x_d in document d, D = Σ_words [Σ_d (x_d − p L_d)² / (p Σ L_d)] / (cells − 1); the two
 * sides are averaged with the other's size as weight.
 *
 * Unseen words are expected at the rate of words that the reference has once (Good 1953).
 *
 * FW_EINVAL: a side has no word; FW_ENOMEM.
 */
int fw_vocabulary_compare(const struct fw_vocabulary *v, struct fw_vocabulary_drift *out,
                          struct fw_err *err);

#endif
