#include <stdio.h>

#include "cmd/cmd.h"

static const char help[] = "usage: flywheel version [--json]\n\nPrints the version.\n";

int cmd_version(int argc, char **argv)
{
    bool json = false;
    const struct cmd_opt opts[] = {{"json", 0, CMD_FLAG, &json}, {0}};
    int got = cmd_parse(argc, argv, opts, help, 0, NULL);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    if (json)
        return cmd_print_json(json_pack("{s:s, s:i}", "version", FW_VERSION, "protocol", 1));
    puts("flywheel " FW_VERSION);
    return FW_EXIT_OK;
}
