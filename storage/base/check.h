/* check.h — bugs are not errors: CHECK stops the program, in release builds too. */
#ifndef THAW_BASE_CHECK_H
#define THAW_BASE_CHECK_H

/* Prints file, line and the condition on stderr, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *condition);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#endif
