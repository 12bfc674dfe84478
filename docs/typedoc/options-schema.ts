import { resolveNodeOptions } from '../../src/client/node-options.ts';
import { resolvePageOptions } from '../../src/client/page-options.ts';
import { resolvePoolOptions } from '../../src/client/pool/pool-options.ts';
import { systemClock } from '../../src/core/clock.ts';
import { bounds, INTEGER_MAX } from '../../src/core/defaults.ts';
import { resolveOptions } from '../../src/server/options.ts';
import { type Comment, type Project, plainText, type Reflection, type Type } from './reflection.ts';

/** A schema, or a part of one. */
export type Schema = Readonly<Record<string, unknown>>;

/** Options of one function: their declaration, and their defaults. */
interface Subject {
  readonly module: string;
  readonly declaration: string;
  readonly description: string;
  readonly defaults: object;
}

const { options, ...ofNode } = resolveNodeOptions({}, systemClock);
const { member, ...ofPool } = resolvePoolOptions({}, systemClock);

const subjects: Readonly<Record<string, Subject>> = {
  supervisor: {
    module: 'src',
    declaration: 'SupervisorOptions',
    description: 'Options of createSupervisor of mooring.',
    defaults: resolveOptions({}),
  },
  client: {
    module: 'src/client',
    declaration: 'NodeClientOptions',
    description: 'Options of createClient of mooring/client in Node.js.',
    defaults: { ...ofNode, ...options },
  },
  pageClient: {
    module: 'src/client/browser',
    declaration: 'ClientOptions',
    description: 'Options of createClient of mooring/client in a page.',
    defaults: resolvePageOptions({}),
  },
  pool: {
    module: 'src/client',
    declaration: 'PoolOptions',
    description: 'Options of createPool of mooring/client.',
    defaults: { ...ofPool, ...member },
  },
};

const texts = { type: ['string', 'array'], items: { type: 'string' } };

/** Options of Node.js, whose types are not in the project. Others of these are functions or bytes. */
const ofNodejs: Readonly<Record<string, Schema>> = {
  ...{ ca: texts, cert: texts, key: texts },
  minVersion: { enum: ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] },
};

/** The schema of all options that JSON can express. */
export function optionsSchema(project: Project): Schema {
  const reader = new SchemaReader(project);
  const definitions = Object.entries(subjects).map(([name, { description, ...subject }]) => {
    return [name, { description, ...reader.read(subject) }];
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Options of Mooring',
    description:
      'The options that JSON can express, for a file of configuration: refer to one of the definitions. Functions, schemas of messages and the like are left out; add them in code.',
    $defs: Object.fromEntries(definitions),
  };
}

/** What is known at the place of a type. */
interface Place {
  /** The name of the option. */
  readonly name: string;
  /** The value of the option by default. */
  readonly usual: unknown;
  /** Types by the names of the type parameters that they replace. */
  readonly given: ReadonlyMap<string, Type>;
  /** Whether each property may be omitted. */
  readonly isPartial: boolean;
}

class SchemaReader {
  readonly #modules: ReadonlyMap<string, readonly Reflection[]>;
  readonly #declarations: ReadonlyMap<number, Reflection>;

  constructor({ children = [] }: Project) {
    this.#modules = new Map(children.map(({ name, children = [] }) => [name, children]));
    const exported = children.flatMap(({ children = [] }) => children);
    this.#declarations = new Map(exported.map((each) => [each.id, each]));
  }

  read({ module, declaration, defaults }: Omit<Subject, 'description'>): Schema {
    const found = this.#modules.get(module)?.find(({ name }) => name === declaration);
    const place = { name: '', usual: defaults, given: new Map(), isPartial: false };
    const schema = this.#object(found?.children ?? [], place);
    if (schema === undefined) throw new Error(`no options are called ${declaration}`);
    return schema;
  }

  /** Nothing, if JSON cannot express a required property, or any property. */
  #object(properties: readonly Reflection[], { usual, isPartial }: Place): Schema | undefined {
    const schemas: Record<string, Schema> = {};
    for (const property of properties) {
      const schema = this.#property(property, Object(usual)[property.name]);
      if (schema !== undefined) schemas[property.name] = schema;
      else if (!isPartial && !property.flags?.isOptional) return undefined;
    }
    if (Object.keys(schemas).length === 0) return undefined;
    return { type: 'object', properties: schemas, additionalProperties: false };
  }

  #property({ name, type, comment }: Reflection, usual: unknown): Schema | undefined {
    const place = { name, usual, given: new Map(), isPartial: false };
    // Methods have no type, and properties with symbol names are for Mooring alone.
    if (type === undefined || name.startsWith('[')) return undefined;
    const schema = this.#type(type, place) ?? ofNodejs[name];
    if (schema === undefined) return undefined;
    const { value, words } = documentedDefault(comment);
    const description = plainText(comment?.summary).replaceAll(/\s+/g, ' ').trim();
    return {
      description: words === undefined ? description : `${description} Default: ${words}.`,
      ...schema,
      // The value in the code takes precedence: an option may have another default for a client.
      ...(value !== undefined && { default: isPlain(usual) ? usual : value }),
    };
  }

  #type(type: Type | undefined, place: Place): Schema | undefined {
    switch (type?.type) {
      case 'intrinsic':
        return intrinsic(type.name, place.name);
      case 'literal':
        return { const: type.value };
      case 'union':
        return this.#union(type.types ?? [], place);
      case 'array':
        return this.#list(type.elementType, place);
      case 'typeOperator':
        return this.#type(type.target as Type, place);
      case 'reference':
        return this.#reference(type, place);
      default:
        return undefined;
    }
  }

  #union(types: readonly Type[], place: Place): Schema | undefined {
    const words = types.filter(({ type }) => type === 'literal').map(({ value }) => value);
    const others = types
      .filter(({ type }) => type !== 'literal')
      .map((type) => this.#type(type, place))
      .filter((schema) => schema !== undefined);
    const all = words.length > 0 ? [{ enum: words }, ...others] : others;
    return all.length > 1 ? { anyOf: all } : all[0];
  }

  #list(type: Type | undefined, place: Place): Schema | undefined {
    const items = this.#type(type, place);
    return items && { type: 'array', items };
  }

  #reference(type: Type, place: Place): Schema | undefined {
    const [first, second] = type.typeArguments ?? [];
    if (type.refersToTypeParameter) return this.#type(place.given.get(type.name ?? ''), place);
    switch (type.name) {
      case 'Given':
      case 'Partial':
        return this.#type(first, { ...place, isPartial: true });
      case 'Readonly':
        return this.#type(first, place);
      case 'Omit':
        return without(this.#type(first, place), second);
      case 'Record':
        return recordOf(this.#type(second, place));
      default:
        return this.#declared(type, place);
    }
  }

  #declared({ target, typeArguments = [] }: Type, place: Place): Schema | undefined {
    const declaration = this.#declarations.get(Number(target));
    if (declaration?.type === undefined) return this.#object(declaration?.children ?? [], place);
    const names = (declaration.typeParameters ?? []).map(({ name }) => name);
    const given = new Map(typeArguments.map((each, index) => [names[index] ?? '', each]));
    return this.#type(declaration.type, { ...place, given });
  }
}

/** Numbers among the options are whole. */
function intrinsic(type: string | undefined, name: string): Schema | undefined {
  if (type === 'unknown') return {};
  if (type === 'string' || type === 'boolean') return { type };
  if (type !== 'number') return undefined;
  const [minimum, maximum] = bounds[name] ?? [1, INTEGER_MAX];
  return { type: 'integer', minimum, maximum };
}

function recordOf(values: Schema | undefined): Schema | undefined {
  return values && { type: 'object', additionalProperties: values };
}

function without(schema: Schema | undefined, left: Type | undefined): Schema | undefined {
  const names = (left?.types ?? [left]).map((type) => type?.value);
  const kept = Object.entries(Object(schema?.['properties'])).filter(
    ([name]) => !names.includes(name),
  );
  return schema && { ...schema, properties: Object.fromEntries(kept) };
}

/** The content of `@default`: a value, or words. */
function documentedDefault(comment: Comment | undefined): { value?: unknown; words?: string } {
  const tag = comment?.blockTags?.find((each) => each.tag === '@default');
  if (tag === undefined) return {};
  const said = plainText(tag.content)
    .replace(/^```ts\n([\s\S]*)\n```$/, '$1')
    .replaceAll(/\s+/g, ' ');
  if (/^[\d_]+$/.test(said)) return { value: Number(said.replaceAll('_', '')) };
  if (/^'.*'$/.test(said)) return { value: said.slice(1, -1) };
  if (said === 'true' || said === 'false') return { value: said === 'true' };
  return { words: said };
}

function isPlain(value: unknown): boolean {
  return ['number', 'string', 'boolean'].includes(typeof value);
}
