/* Progress of a run on stderr: plain lines, and on a terminal one live line below them. */
#ifndef FW_CMD_PROGRESS_H
#define FW_CMD_PROGRESS_H

#include <stdbool.h>

#include "pipeline/loop/observer.h"

struct cmd_progress {
    bool live, colour, quiet, verbose;
    bool line_open; /* the live line stands on the screen */
    char running[8][96];
    char detail[8][64];
    int n_running;
    int columns;
};

void cmd_progress_init(struct cmd_progress *p, bool quiet, bool verbose);
struct fw_observer cmd_progress_observer(struct cmd_progress *p);
void cmd_progress_end(struct cmd_progress *p); /* takes the live line away */

#endif
