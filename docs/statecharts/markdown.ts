const LINE_MAX = 108;

/** A table with aligned columns in the source. The first row has the headings. */
export function markdownTable(table: readonly (readonly string[])[]): string {
  const [headings = [], ...rows] = table;
  const widths = headings.map((_, column) =>
    Math.max(...table.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(headings), rule, ...rows.map(line)].join('\n');
}

/** Text in lines of limited length. Lines after a bullet are indented. */
export function wrapped(text: string, bullet = ''): string {
  const indent = ' '.repeat(bullet.length);
  const lines: string[] = [];
  let line = bullet;
  for (const [index, word] of text.split(' ').entries()) {
    if (index === 0) line += word;
    else if (line.length + 1 + word.length <= LINE_MAX) line += ` ${word}`;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line].join('\n');
}
