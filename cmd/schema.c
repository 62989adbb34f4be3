#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "pipeline/config/plan.h"

static const char help[] =
    "usage: flywheel schema\n\n"
    "Prints the JSON Schema of flywheel.yaml. An editor with a YAML language server completes and "
    "checks\n"
    "the file when its first line is: # yaml-language-server: $schema=flywheel.schema.json\n";

int cmd_schema(int argc, char **argv)
{
    const struct cmd_opt opts[] = {{0}};
    int got = cmd_parse(argc, argv, opts, help, 0, NULL);
    if (got)
        return got > 0 ? FW_EXIT_OK : FW_EXIT_USAGE;
    char *schema = fw_plan_schema();
    if (!schema) {
        fputs("error: out of memory\n", stderr);
        return FW_EXIT_FAILED;
    }
    int bad = fputs(schema, stdout) == EOF || fflush(stdout) != 0;
    free(schema);
    return bad ? FW_EXIT_FAILED : FW_EXIT_OK;
}
