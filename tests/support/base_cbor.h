/* base_cbor.h — CBOR read with the reader and written again with the writer, item by item. */
#ifndef THAW_TESTS_BASE_CBOR_H
#define THAW_TESTS_BASE_CBOR_H

#include "storage/base/cbor.h"

/* Copies the next item, whatever it is. Since every value has one encoding only, what the reader
 * accepts must come out as it went in. False if the reader or the writer fails. */
bool base_cbor_copy(struct cbor_reader *reader, struct cbor_writer *writer);

#endif
