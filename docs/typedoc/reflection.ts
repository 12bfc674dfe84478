/** A piece of text of a comment, as TypeDoc writes it. */
export interface Display {
  readonly kind: 'text' | 'code' | 'inline-tag';
  readonly text: string;
  readonly tag?: string;
  /** The id of the target of a link. */
  readonly target?: number | string;
}

/** A comment of the sources. */
export interface Comment {
  summary: readonly Display[];
  blockTags?: readonly { readonly tag: string; readonly content: readonly Display[] }[];
}

/** A type: a tree. Each kind has other fields. */
export interface Type {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  /** The id of a declaration, or the location of an external one. */
  readonly target?: unknown;
  readonly typeArguments?: readonly Type[];
  readonly types?: readonly Type[];
  readonly elementType?: Type;
  readonly declaration?: Reflection;
  readonly refersToTypeParameter?: boolean;
}

/** A declaration of the sources, as TypeDoc writes it. Only the fields used here. */
export interface Reflection {
  readonly id: number;
  name: string;
  readonly variant: string;
  readonly kind: number;
  readonly flags?: { readonly isOptional?: boolean };
  comment?: Comment;
  children?: readonly Reflection[];
  groups?: readonly Group[];
  signatures?: readonly Reflection[];
  readonly parameters?: readonly Reflection[];
  readonly typeParameters?: readonly Reflection[];
  type?: Type;
  readonly default?: Type;
  defaultValue?: string;
  readonly extendedTypes?: readonly Type[];
  inheritedFrom?: Type;
  implementationOf?: Type;
  overwrites?: Type;
}

/** Everything that was read. */
export interface Project extends Reflection {
  /** The location of each declaration, by its id. */
  symbolIdMap: Readonly<
    Record<number, { readonly packagePath: string; readonly qualifiedName: string }>
  >;
}

/** Declarations of one kind in a module, by their ids. */
export interface Group {
  readonly title: string;
  readonly children: readonly number[];
}

/** TypeDoc's names of the kinds of declarations that are treated alike here. */
export const Kind = {
  Variable: 32,
  ConstructorSignature: 16_384,
  TypeAlias: 2_097_152,
} as const;

/** Calls a function with a reflection and with everything below it. */
export function visit(reflection: Reflection, look: (at: Reflection) => void): void {
  look(reflection);
  const { children, signatures, parameters, typeParameters, type } = reflection;
  for (const list of [children, signatures, parameters, typeParameters])
    for (const each of list ?? []) visit(each, look);
  for (const each of typesIn(type))
    if (each.declaration !== undefined) visit(each.declaration, look);
}

/** A type and the types that it consists of, without those of the declarations in it. */
export function typesIn(type: Type | undefined): readonly Type[] {
  if (type === undefined) return [];
  const { elementType, types = [], typeArguments = [], target } = type;
  const operand = type.type === 'typeOperator' ? [target as Type] : [];
  const parts = [elementType, ...types, ...typeArguments, ...operand];
  return [type, ...parts.flatMap(typesIn)];
}

/** Plain text of a comment. Links become their text. */
export function plainText(parts: readonly Display[] | undefined): string {
  return (parts ?? []).map(({ text }) => text).join('');
}
