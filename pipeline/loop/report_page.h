/*
 * The report's own small toolbox: reading a record whose every field may be absent, and writing
 * HTML in which everything that came from outside is escaped. Private to report*.c.
 */
#ifndef FW_LOOP_REPORT_PAGE_H
#define FW_LOOP_REPORT_PAGE_H

#include <jansson.h>
#include <stdbool.h>

#include "pipeline/base/buf.h"

struct fw_page {
    struct fw_buf *b;
    const json_t *rec;
    const char *metric; /* "accuracy"; never NULL */
    bool percent;       /* shown as a percentage, differences as points */
    bool higher;        /* higher is better */
    const json_t *iterations;
    const json_t *first; /* the baseline's iteration, or NULL */
    const json_t *best;  /* the champion's iteration, or NULL */
    size_t best_at;      /* its index in iterations */
};

/*
 * Writes a format in which text is escaped unless said otherwise:
 *   %s const char *  escaped; NULL prints a dash
 *   %r const char *  as it is: trusted markup only
 *   %k const char *  a commit, shortened
 *   %d int
 *   %n double        a count, thousands set apart
 *   %v double        a value of the run's metric
 *   %g double        a difference of it, with its sign
 *   %p double        a share as a percentage
 *   %u double        a share in points, "5.22"
 *   %q double        a p-value ("= 0.012", "< 0.001")
 *   %f double        a plain number
 *   %t double        seconds as a duration
 *   %%
 * A double that is NaN prints a dash. Nothing else is understood.
 */
void fw_page_say(struct fw_page *p, const char *fmt, ...);

/* NaN when absent or not a number. */
double fw_page_num(const json_t *o, const char *key);
/* NULL when absent or not a string. Borrowed. */
const char *fw_page_str(const json_t *o, const char *key);
const json_t *fw_page_get(const json_t *o, const char *key); /* NULL also for JSON null */
/* The score of a sealed test entry: its "score", or the entry itself. NULL when there is none. */
const json_t *fw_page_score(const json_t *entry);
bool fw_page_true(const json_t *o, const char *key);
/* The number, or 0 when absent. */
double fw_page_count(const json_t *o, const char *key);

/* "72.8–79.4 %"; nothing when either end is absent. */
void fw_page_interval(struct fw_page *p, double low, double high);
/* "+0.8 to +3.4 points" */
void fw_page_gain_interval(struct fw_page *p, double low, double high);
/* "Accuracy", "Macro F1", "F1 of spam": written escaped. */
void fw_page_metric_name(struct fw_page *p, const char *metric, bool capital);
/* A coloured word with a sign, so that colour is never the only carrier. */
void fw_page_verdict(struct fw_page *p, const char *verdict);
/* Opens a table in a box that scrolls on narrow screens; caption is trusted text. */
void fw_page_table(struct fw_page *p, const char *klass, const char *caption);
void fw_page_table_end(struct fw_page *p);
/* An interval drawn as a small inline picture on the scale lo..hi; zero line when it is inside.
 * Hidden from screen readers: the numbers stand beside it. */
void fw_page_bar(struct fw_page *p, double value, double low, double high, double lo, double hi,
                 const char *klass);

/* The parts of the page, in order. */
void fw_report_headline(struct fw_page *p);
void fw_report_curve(struct fw_page *p);
void fw_report_iterations(struct fw_page *p);
void fw_report_priorities(struct fw_page *p);
void fw_report_confusions(struct fw_page *p);
void fw_report_classes(struct fw_page *p);
void fw_report_audit(struct fw_page *p); /* nothing without an audit */
void fw_report_test(struct fw_page *p);
void fw_report_noise(struct fw_page *p);
void fw_report_exchange(struct fw_page *p);
void fw_report_budget(struct fw_page *p);
void fw_report_reproduce(struct fw_page *p);
void fw_report_next(struct fw_page *p);
/* The newest exchange rate of the run (analysis.json's "exchange"), or NULL. */
const json_t *fw_report_exchange_of(const struct fw_page *p);
/* Shared by dev and test: the K × K table as counts and row percentages. */
void fw_report_confusion_table(struct fw_page *p, const json_t *confusion, const char *caption);
void fw_report_class_table(struct fw_page *p, const json_t *before, const json_t *after,
                           const char *caption);

/* The numbers of the charts as JSON that is safe inside a script element. */
int fw_report_data(struct fw_page *p, struct fw_err *err);

#endif
