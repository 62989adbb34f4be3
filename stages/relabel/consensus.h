/*
 * Several labellers' answers: what they agree on, and how well. Pure. An answer is a class index;
 * a negative one means that this labeller did not answer.
 */
#ifndef FW_STAGES_CONSENSUS_H
#define FW_STAGES_CONSENSUS_H

#include <stddef.h>

/* The class that more labellers named than any other, and at least two did; a single answer stands
 * for itself. -1: no answer, or no such class (two who differ, three who all differ). */
int fw_consensus(const int *answers, size_t n);

/* Share of the items both answered on which they agree, in [0, 1]; NaN when there is none. Their
 * chance-corrected agreement is fw_cohen_kappa() in stages/evaluate/compare.h. */
double fw_percent_agreement(const int *a, const int *b, size_t n);

/* Fleiss' kappa (Fleiss 1971) of N items: counts is N × K, row-major, how many labellers gave item i
 * class j. Items with fewer than two answers are left out; the number of answers may differ (each
 * item's agreement is over its own pairs). NaN when undefined: nothing left, or one class only. */
double fw_fleiss_kappa(const int *counts, size_t n, size_t k);

#endif
