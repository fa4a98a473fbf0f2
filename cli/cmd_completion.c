/* cmd_completion.c — `thaw completion`: bash's completion, from the command table itself. */
#include "cli/commands.h"

#include "cli/base/output.h"

#include <stdio.h>

#define SCRIPT_MAX 16384

static bool take(void *input, int key, const char *value, struct err *err)
{
    (void)input;
    if (key != ARGP_KEY_ARG)
        return key == ARGP_KEY_END;
    if (span_equal(span_of_text(value), span_of_text("bash")))
        return true;
    return err_set(err, ERR_USAGE, "no completion for the shell \"%s\"; there is \"bash\"", value);
}

/* Options are asked of the command itself, so that this script never goes stale. */
static const char script[] =
    "_thaw() {\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}\n"
    "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$_thaw_commands --help --version\" -- "
    "\"$word\")\n"
    "        return\n"
    "    fi\n"
    "    if [[ $word == -* ]]; then\n"
    "        local options\n"
    "        options=$(thaw \"$command\" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort "
    "-u)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
    "        return\n"
    "    fi\n"
    "    case $command in\n"
    "    boot|import) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
    "    run|shell|show|diff|tag|rm|export|verify)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(thaw ls --names 2>/dev/null)\" -- \"$word\") "
    ";;\n"
    "    esac\n"
    "}\n"
    "complete -o default -F _thaw thaw\n";

static bool write_script(struct buf *out, struct err *err)
{
    bool ok = buf_append_text(out, "# bash completion for thaw\n_thaw_commands=\"", err);

    for (size_t i = 0; ok && i < command_count; i++)
        ok = (i == 0 || buf_append_text(out, " ", err)) &&
             buf_append_text(out, commands[i].name, err);
    return ok && buf_append_text(out, "\"\n", err) && buf_append_text(out, script, err);
}

int command_completion(int argc, char **argv)
{
    static const struct command_usage usage = {
        "completion", "[bash]",
        "Print the shell completion script.\v"
        "Example:\n  thaw completion bash > /etc/bash_completion.d/thaw",
        NULL, take};
    struct buf out = BUF_INIT(SCRIPT_MAX);
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, NULL);
    ok = write_script(&out, &err);
    if (ok && common.json)
        print_json(json_pack("{s:s, s:o}", "shell", "bash", "script", json_span(buf_span(&out))));
    else if (ok)
        fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
