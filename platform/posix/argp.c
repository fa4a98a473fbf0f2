#include <argp.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX  64
#define KEY_HELP     '?'
#define KEY_VERSION  'V'
#define HELP_COLUMN  28
#define CHILDREN_MAX 4

const char *argp_program_version;
int argp_err_exit_status = 64;

/* All options of a parser and of its children, as getopt_long takes them. */
struct table {
    struct option long_options[OPTIONS_MAX + 3];
    int keys[OPTIONS_MAX]; /* by place in long_options */
    const struct argp *owners[OPTIONS_MAX];
    size_t count;
    char letters[3 * OPTIONS_MAX + 5];
};

static int argument_of(const struct argp_option *option)
{
    if (option->arg == NULL)
        return no_argument;
    return (option->flags & OPTION_ARG_OPTIONAL) != 0 ? optional_argument : required_argument;
}

static void add_letter(struct table *table, char letter, int argument)
{
    char *end = table->letters + strlen(table->letters);

    *end++ = letter;
    for (int i = 0; i < argument; i++)
        *end++ = ':';
    *end = 0;
}

static void add_options(struct table *table, const struct argp *owner)
{
    const struct argp_option *option = owner->options;

    for (; option != NULL && (option->name != NULL || option->key != 0 || option->doc != NULL);
         option++) {
        if (option->name == NULL || table->count == OPTIONS_MAX)
            continue;
        table->long_options[table->count] =
            (struct option){option->name, argument_of(option), NULL, 1000 + (int)table->count};
        table->keys[table->count] = option->key;
        table->owners[table->count++] = owner;
        if (option->key > 32 && option->key < 127)
            add_letter(table, (char)option->key, argument_of(option));
    }
}

static void print_options(const struct argp *owner, FILE *out)
{
    const struct argp_option *option = owner->options;

    for (; option != NULL && (option->name != NULL || option->key != 0 || option->doc != NULL);
         option++) {
        int used;
        if (option->name == NULL) {
            fprintf(out, "\n %s\n", option->doc != NULL ? option->doc : "");
            continue;
        }
        if ((option->flags & OPTION_HIDDEN) != 0)
            continue;
        if (option->key > 32 && option->key < 127)
            used = fprintf(out, "  -%c, --%s", option->key, option->name);
        else
            used = fprintf(out, "      --%s", option->name);
        if (option->arg != NULL)
            used += fprintf(out, "=%s", option->arg);
        fprintf(out, "%*s %s\n", used < HELP_COLUMN ? HELP_COLUMN - used : 0, "",
                option->doc != NULL ? option->doc : "");
    }
}

static _Noreturn void print_help(const struct argp_state *state)
{
    const struct argp *argp = state->root_argp;

    printf("Usage: %s [OPTION...] %s\n%s\n\n", state->name,
           argp->args_doc != NULL ? argp->args_doc : "", argp->doc != NULL ? argp->doc : "");
    print_options(argp, stdout);
    for (const struct argp_child *child = argp->children; child != NULL && child->argp != NULL;
         child++)
        print_options(child->argp, stdout);
    printf("  -?, --help                  give this help list\n"
           "  -V, --version               print program version\n");
    exit(0);
}

static _Noreturn void usage_error(const struct argp_state *state)
{
    fprintf(stderr, "Try `%s --help' for more information.\n", state->name);
    exit(argp_err_exit_status);
}

void argp_error(const struct argp_state *state, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", state->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    usage_error(state);
}

/* The owner's parser, which sees its own input. */
static error_t tell(const struct argp *owner, int key, char *value, struct argp_state *state)
{
    const struct argp_child *children = state->root_argp->children;
    void *own = state->input;
    error_t code;

    for (size_t i = 0; children != NULL && children[i].argp != NULL; i++)
        if (children[i].argp == owner)
            state->input = state->child_inputs[i];
    code = owner->parser(key, value, state);
    state->input = own;
    return code;
}

static void take_option(const struct table *table, int found, struct argp_state *state)
{
    for (size_t i = 0; i < table->count; i++) {
        if (found != 1000 + (int)i && (found >= 1000 || found != table->keys[i]))
            continue;
        if (tell(table->owners[i], table->keys[i], optarg, state) == ARGP_ERR_UNKNOWN)
            argp_error(state, "(PROGRAM ERROR) Option should have been recognized!?");
        return;
    }
    if (found == KEY_VERSION) {
        printf("%s\n", argp_program_version != NULL ? argp_program_version : "");
        exit(0);
    }
    if (found == 999)
        print_help(state);
    /* In our words: every C library has its own. */
    if (found == ':')
        argp_error(state, "option '%s' requires an argument", state->argv[optind - 1]);
    if (strncmp(state->argv[optind - 1], "--", 2) == 0)
        argp_error(state, "unrecognized option '%s'", state->argv[optind - 1]);
    argp_error(state, "invalid option -- '%c'", optopt);
}

static void take_argument(const struct argp *argp, char *text, struct argp_state *state)
{
    if (argp->parser(ARGP_KEY_ARG, text, state) == ARGP_ERR_UNKNOWN)
        argp_error(state, "Too many arguments");
    state->arg_num++;
}

/* The program's name without its folder: of Windows's paths too. */
static char *short_name(char *path)
{
    char *name = path;

    for (char *at = path; *at != 0; at++)
        if (*at == '/' || *at == '\\')
            name = at + 1;
    return name;
}

error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
                   void *input)
{
    void *child_inputs[CHILDREN_MAX] = {NULL};
    struct argp_state state = {.root_argp = argp,
                               .argc = argc,
                               .argv = argv,
                               .input = input,
                               .child_inputs = child_inputs,
                               .name = short_name(argv[0])};
    struct table *table = calloc(1, sizeof *table);
    int found;

    (void)flags;
    if (table == NULL)
        abort();
    table->letters[0] = ':'; /* tells what lacks its argument from what is unknown */
    add_options(table, argp);
    for (const struct argp_child *child = argp->children; child != NULL && child->argp != NULL;
         child++)
        add_options(table, child->argp);
    opterr = 0;
    table->long_options[table->count] = (struct option){"help", no_argument, NULL, 999};
    table->long_options[table->count + 1] =
        (struct option){"version", no_argument, NULL, KEY_VERSION};
    add_letter(table, KEY_VERSION, 0);
    (void)argp->parser(ARGP_KEY_INIT, NULL, &state);
    optind = 1;
    while ((found = getopt_long(argc, argv, table->letters, table->long_options, NULL)) != -1)
        take_option(table, found, &state);
    for (; optind < argc; optind++)
        take_argument(argp, argv[optind], &state);
    (void)argp->parser(ARGP_KEY_END, NULL, &state);
    if (index != NULL)
        *index = optind;
    free(table);
    return 0;
}
