/// Interruption of the tools by a signal: a flag at the first, clean death at the second.
#ifndef CK_SIGNALS_H
#define CK_SIGNALS_H

/// Turns SIGINT, SIGTERM and SIGHUP into a flag. The second one removes the registered temporary files and ends the
/// process with 128 + its number. SIGHUP stays ignored where it is (nohup).
///
/// SIGBUS, which a mapped file raises when somebody cuts it short, ends the process with a sentence and 3, the code of
/// damaged input.
void ck_catch_signals(void);

/// The first signal that arrived, 0 if none did.
int ck_interrupted(void);

/// Registers a file for removal by the second signal. Returns its slot, or -1 when all slots are taken or the path is
/// too long: such a file is merely not removed by a signal.
int ck_temporary_add(const char *path);

/// Frees a slot; -1 is ignored.
void ck_temporary_remove(int slot);

#endif
