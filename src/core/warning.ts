/** Codes of the warnings that have been given. Bounded: each code is one kind of warning. */
const given = new Set<string>();

/**
 * Warns the operator through `process.emitWarning`, once for each code, where there is a process.
 *
 * Node.js prints such a warning on standard error, with its code, unless the process was started with
 * `--no-warnings`; `process.on('warning')` receives it.
 *
 * @param code - stable, for example `MOORING_NO_PATH`.
 */
export function warnOnce(code: string, message: string): void {
  if (given.has(code)) return;
  given.add(code);
  globalThis.process?.emitWarning?.(message, { type: 'MooringWarning', code });
}
