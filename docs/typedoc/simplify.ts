import {
  type Comment,
  type Display,
  type Group,
  Kind,
  type Project,
  plainText,
  type Reflection,
  type Type,
  typesIn,
  visit,
} from './reflection.ts';

/** An entry point and its page. */
export interface Entry {
  readonly source: string;
  /** TypeDoc's name of its module. */
  readonly module: string;
  readonly title: string;
  /** The name of the file, without its extension. */
  readonly page: string;
}

/** The names of the kinds, in the order of a page. */
const titles: ReadonlyMap<string, string> = new Map([
  ['Functions', 'Functions'],
  ['Classes', 'Classes'],
  ['Interfaces', 'Interfaces'],
  ['Type Aliases', 'Types'],
  ['Variables', 'Constants'],
  ['References', 'Also exported'],
]);

/**
 * Rewrites a project of TypeDoc so that its pages are short: comments replace further headings, members are
 * shown where they are declared, and machines omit the types of all their states.
 */
export function simplify(project: Project, entries: readonly Entry[]): void {
  const documented = documentedIn(project);
  const overloads: Overloads = new Map();
  visit(project, (at) => {
    if (at.name.endsWith('Machine') && at.kind === Kind.Variable) collapseMachine(at);
    if (at.kind === Kind.Variable) explainConstants(at);
    dropMembers(at, documented);
    tellDefault(at);
    mergeOverloads(at, overloads);
  });
  visit(project, (at) => {
    tellRest(at);
    forgetOrigin(at);
  });
  const silent = new Set([...overloads.values()].flat());
  visit(project, (at) => {
    const isShown = at.variant === 'signature' ? !silent.has(at) : documented.has(at.id);
    if (isShown) tellTypes(at, [at, ...(overloads.get(at) ?? [])].flatMap(typesOf), documented);
  });
  project.symbolIdMap = {};
  nameKeys(project);
  for (const module of project.children ?? []) arrange(module, entries);
  project.children = entries.flatMap(({ page }) =>
    (project.children ?? []).filter(({ name }) => name === page),
  );
}

/** The declarations that have a heading of their own, by id. */
function documentedIn(project: Reflection): ReadonlyMap<number, string> {
  const exported = (project.children ?? []).flatMap(({ children = [] }) => children);
  const declared = exported.filter(({ variant }) => variant !== 'reference');
  return new Map(declared.map(({ id, name }) => [id, name]));
}

function arrange(module: Reflection, entries: readonly Entry[]): void {
  const entry = entries.find((each) => each.module === module.name);
  if (entry === undefined) throw new Error(`no page for ${module.name}`);
  module.name = entry.page;
  const names = new Map((module.children ?? []).map(({ id, name }) => [id, name]));
  const byName = (one: number, other: number) =>
    (names.get(one) ?? '').localeCompare(names.get(other) ?? '', 'en');
  const groups = module.groups ?? [];
  const order = (one: Reflection, other: Reflection) => placeOf(one) - placeOf(other);
  const placeOf = ({ id }: Reflection) => places.indexOf(id);
  module.groups = [...titles].flatMap(([kind, title]) =>
    groups
      .filter((group) => group.title === kind)
      .map(({ children }): Group => ({ title, children: children.toSorted(byName) })),
  );
  const places = module.groups.flatMap(({ children }) => children);
  // Anchors are numbered in this order.
  module.children = (module.children ?? []).toSorted(order);
}

/** The origin of a member is not shown, and may be a member that was dropped. */
function forgetOrigin(at: Reflection): void {
  delete at.inheritedFrom;
  delete at.implementationOf;
  delete at.overwrites;
}

function collapseMachine(machine: Reflection): void {
  machine.type = { type: 'reference', target: -1, name: 'StateMachine' };
  delete machine.defaultValue;
}

/** In an object of texts, each text describes its name. */
function explainConstants({ type }: Reflection): void {
  for (const constant of type?.declaration?.children ?? []) {
    const { type } = constant;
    if (type?.type !== 'literal' || typeof type.value !== 'string') continue;
    constant.comment ??= { summary: [text(type.value)] };
    constant.type = { type: 'intrinsic', name: 'string' };
    delete constant.defaultValue;
  }
}

/**
 * Gives a union of all keys of a constant the name of the type that is declared so, because the compiler
 * forgets it.
 */
function nameKeys(project: Project): void {
  const keys = (type?: Type) => type?.types?.map(({ value }) => value).join();
  const exported = (project.children ?? []).flatMap(({ children = [] }) => children);
  const constants = new Map(
    exported.map(({ id, type }) => [id, type?.declaration?.children?.map(({ name }) => name)]),
  );
  const names = new Map(
    exported.flatMap(({ id, name, type }) => {
      if (type?.type !== 'typeOperator') return [];
      const { queryType } = type.target as { readonly queryType?: Type };
      const keysOf = constants.get(Number(queryType?.target));
      return keysOf === undefined ? [] : [[keysOf.join(), { type: 'reference', target: id, name }]];
    }),
  );
  visit(project, (at) => {
    const named = names.get(keys(at.type) ?? '');
    if (named !== undefined) at.type = named;
  });
}

/** Drops members with symbol names of Mooring, and those that the page of another declaration shows. */
function dropMembers(at: Reflection, documented: ReadonlyMap<number, string>): void {
  const bases = (at.extendedTypes ?? []).filter(({ target }) => documented.has(Number(target)));
  const isShown = ({ name, inheritedFrom }: Reflection) =>
    !/^\[(?!.*Symbol)/.test(name) &&
    !bases.some((base) => inheritedFrom?.name?.startsWith(`${base.name}.`));
  const { children, groups } = at;
  if (children === undefined) return;
  at.children = children.filter(isShown);
  const kept = new Set(at.children.map(({ id }) => id));
  if (groups === undefined || kept.size === children.length) return;
  at.groups = groups
    .map(({ title, children }) => ({ title, children: children.filter((id) => kept.has(id)) }))
    .filter(({ children }) => children.length > 0);
}

/** `@default` and `@defaultValue` as the last sentence of a comment. */
function tellDefault({ comment }: Reflection): void {
  for (const { tag, content } of comment?.blockTags ?? []) {
    if (!tag.startsWith('@default')) continue;
    const fenced = /^```ts\n([\s\S]*)\n```$/.exec(plainText(content))?.[1];
    const shown = fenced === undefined ? content : [isCode(fenced) ? code(fenced) : text(fenced)];
    append(comment, ' ', [text('Default: '), ...shown, text('.')]);
  }
}

/** Whether the text after `@default` is a value, and not a description. */
function isCode(value: string): boolean {
  return /^(['"[{\d-]|true$|false$|Infinity$)/.test(value) && !/^\d+ [a-z]/.test(value);
}

/** Overloads with the same comment, by the one that is shown last: the comment is shown once, after the last. */
type Overloads = Map<Reflection, readonly Reflection[]>;

function mergeOverloads({ signatures = [] }: Reflection, overloads: Overloads): void {
  const last = signatures.at(-1);
  const earlier = signatures.slice(0, -1);
  const said = (signature?: Reflection) => plainText(signature?.comment?.summary);
  if (last === undefined || !earlier.every((each) => said(each) === said(last))) return;
  overloads.set(last, earlier);
  for (const each of earlier) delete each.comment;
}

/**
 * Parameters, results, errors and examples as paragraphs. A declaration without a comment gets one if it has
 * types to show.
 */
function tellRest(at: Reflection): void {
  const { parameters = [], typeParameters = [] } = at;
  for (const each of [...typeParameters, ...parameters]) tellParameter(at, each);
  const { comment } = at;
  for (const { tag, content } of comment?.blockTags ?? []) {
    if (tag === '@returns') append(comment, '\n\n', [text('Returns '), ...unindented(content)]);
    if (tag === '@throws')
      append(comment, '\n\n', [text('Throws '), ...unindented(ended(content))]);
    if (tag === '@example') append(comment, '\n\n', content);
  }
  if (comment !== undefined) delete comment.blockTags;
}

function tellParameter(owner: Reflection, parameter: Reflection): void {
  const { comment, name } = parameter;
  if (comment === undefined || comment.summary.length === 0) return;
  const isFirst = !plainText(owner.comment?.summary).includes('\n\n- `');
  append(owner.comment, isFirst ? '\n\n' : '\n', [text(`- \`${name}\`: `), ...comment.summary]);
  delete parameter.comment;
}

/** The types in the code that is shown of a declaration. */
function typesOf(at: Reflection): readonly (Type | undefined)[] {
  const parameters = (at.parameters ?? []).map(({ type }) => type);
  const generics = (at.typeParameters ?? []).flatMap((each) => [each.type, each.default]);
  if (at.variant !== 'signature') return at.type === undefined ? [] : [at.type, ...generics];
  return [at.kind === Kind.ConstructorSignature ? undefined : at.type, ...parameters, ...generics];
}

/** Types in code are not links, so links to them follow. */
function tellTypes(
  at: Reflection,
  types: readonly (Type | undefined)[],
  documented: ReadonlyMap<number, string>,
): void {
  const seen = new Set((at.comment?.summary ?? []).map(({ target }) => target));
  const ids = types.flatMap(typesWithin).map(({ target }) => Number(target));
  const further = [...new Set(ids)].filter(
    (id) => documented.has(id) && id !== at.id && !seen.has(id),
  );
  if (further.length === 0) return;
  at.comment ??= { summary: [] };
  const links = further.flatMap((id, index): Display[] => [
    text(index === 0 ? 'See ' : ', '),
    { kind: 'inline-tag', tag: '@linkcode', text: documented.get(id) ?? '', target: id },
  ]);
  append(at.comment, '\n\n', [...links, text('.')]);
}

/** The types that a type consists of, including those in object types. */
function typesWithin(type: Type | undefined): readonly Type[] {
  const own = typesIn(type);
  const nested = own.flatMap(({ declaration }) =>
    [...(declaration?.children ?? []), ...(declaration?.signatures ?? [])].flatMap((each) => [
      ...typesWithin(each.type),
      ...(each.parameters ?? []).flatMap((parameter) => typesWithin(parameter.type)),
    ]),
  );
  return [...own, ...nested];
}

function append(comment: Comment | undefined, gap: string, parts: readonly Display[]): void {
  if (comment === undefined) return;
  const before = comment.summary.length === 0 ? [] : [...trimmed(comment.summary), text(gap)];
  comment.summary = [...before, ...parts];
}

function trimmed(parts: readonly Display[]): readonly Display[] {
  const last = parts.at(-1);
  if (last?.kind !== 'text') return parts;
  return [...parts.slice(0, -1), { ...last, text: last.text.trimEnd() }];
}

function ended(parts: readonly Display[]): readonly Display[] {
  return plainText(parts).endsWith('.') ? parts : [...trimmed(parts), text('.')];
}

function unindented(parts: readonly Display[]): readonly Display[] {
  return parts.map((part) => ({ ...part, text: part.text.replaceAll(/\n +/g, '\n') }));
}

function text(value: string): Display {
  return { kind: 'text', text: value };
}

function code(value: string): Display {
  return { kind: 'code', text: `\`${value}\`` };
}
