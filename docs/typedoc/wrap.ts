const WIDTH = 100;

/** A long signature or type on several lines, as a formatter would write it. */
export function wrapped(line: string): string {
  if (line.length <= WIDTH || line.includes('\n')) return line;
  return line.startsWith('type ') ? wrappedType(line) : wrappedSignature(line);
}

function wrappedType(line: string): string {
  const [name = '', ...rest] = line.split(' = ');
  const members = splitOutside(rest.join(' = ').replace(/;$/, ''), ' | ');
  if (members.length === 1) return line;
  return `${name} =\n${members.map((member) => `  | ${member}`).join('\n')};`;
}

/** First puts the parameters on lines of their own, and if that is not enough, those of types, too. */
function wrappedSignature(line: string): string {
  const [, head = '', rest = ''] = /^([^(<]*)([\s\S]*)$/.exec(line) ?? [];
  const generics = rest.startsWith('<') ? groupAt(rest) : '';
  const parameters = groupAt(rest.slice(generics.length));
  const end = rest.slice(generics.length + parameters.length);
  const longest = head.length + generics.length + 1;
  return head + (longest > WIDTH ? onLines(generics) : generics) + onLines(parameters) + end;
}

/** `(a, b)` with a line for each of its parts. */
function onLines(group: string): string {
  const parts = splitOutside(group.slice(1, -1), ', ').filter(Boolean);
  if (parts.length === 0) return group;
  return `${group[0]}\n${parts.map((part) => `  ${part},\n`).join('')}${group.at(-1)}`;
}

/** The brackets at the beginning of a text, with their content. */
function groupAt(text: string): string {
  let depth = 0;
  for (const { index, change } of brackets(text)) {
    depth += change;
    if (depth === 0) return text.slice(0, index + 1);
  }
  return '';
}

/** Splits a text wherever no bracket is open. */
function splitOutside(text: string, separator: string): string[] {
  const parts = [''];
  let depth = 0;
  const changes = new Map(brackets(text).map(({ index, change }) => [index, change]));
  for (let index = 0; index < text.length; index += 1) {
    depth += changes.get(index) ?? 0;
    if (depth === 0 && text.startsWith(separator, index)) {
      parts.push('');
      index += separator.length - 1;
    } else parts.push((parts.pop() ?? '') + text[index]);
  }
  return parts;
}

/** The brackets of a text. The end of an arrow is not one. */
function brackets(text: string): { index: number; change: number }[] {
  return [...text.matchAll(/=>|[([{<]|[)\]}>]/g)]
    .filter(([found]) => found !== '=>')
    .map(({ 0: found, index }) => ({ index, change: '([{<'.includes(found) ? 1 : -1 }));
}
