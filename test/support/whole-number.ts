/** The value of a command-line option, as a whole number. @throws Error that names the option */
export function wholeNumber(
  option: string,
  text: string,
  { least, most }: { least: number; most: number },
): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new Error(`${option} must be a whole number from ${least} to ${most}, got '${text}'`);
}
