import { instance } from '@viz-js/viz';

/** A place in the picture, from its upper left corner. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle in the picture. */
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** The route of an arrow: its first point and three for each curve, its tip, and the middle of its label. */
export interface Route {
  /** The start of a straight line that leads to the first point. */
  readonly lead?: Point;
  readonly points: readonly Point[];
  readonly tip: Point;
  readonly label: Point | undefined;
}

/** The positions of everything. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** By the name of the node or of the cluster. */
  readonly boxes: ReadonlyMap<string, Box>;
  /** By the id of the arrow. */
  readonly routes: ReadonlyMap<string, Route>;
}

interface PlacedObject {
  readonly name: string;
  readonly bb?: string;
  readonly pos?: string;
  readonly width?: string;
  readonly height?: string;
}

interface PlacedEdge {
  readonly id?: string;
  readonly pos: string;
  readonly lp?: string;
}

interface Placed {
  readonly bb: string;
  readonly objects: readonly PlacedObject[];
  readonly edges?: readonly PlacedEdge[];
}

const POINTS_PER_INCH = 72;

/** Loading it takes longer than a layout. */
let loading: ReturnType<typeof instance> | undefined;

/** Lets Graphviz place a graph. @throws Error with its message. */
export async function layOut(dot: string): Promise<Layout> {
  loading ??= instance();
  const graphviz = await loading;
  const { output, errors } = graphviz.render(dot, { format: 'json0' });
  if (output === undefined || errors.length > 0) {
    throw new Error(errors.map(({ message }) => message).join('\n'));
  }
  const placed = JSON.parse(output) as Placed;
  const [, , width = 0, height = 0] = numbers(placed.bb);
  const boxes = placed.objects.map((object) => [object.name, boxOf(object, height)] as const);
  const routes = (placed.edges ?? []).flatMap((edge) =>
    edge.id === undefined ? [] : [[edge.id, routeOf(edge, height)] as const],
  );
  return { width, height, boxes: new Map(boxes), routes: new Map(routes) };
}

/** Graphviz measures from the bottom, a picture from the top. */
function boxOf({ bb, pos, width, height }: PlacedObject, bottom: number): Box {
  if (bb !== undefined) {
    const [left = 0, low = 0, right = 0, high = 0] = numbers(bb);
    return { x: left, y: bottom - high, width: right - left, height: high - low };
  }
  const [x = 0, y = 0] = numbers(pos ?? '');
  const [w, h] = [Number(width) * POINTS_PER_INCH, Number(height) * POINTS_PER_INCH];
  return { x: x - w / 2, y: bottom - y - h / 2, width: w, height: h };
}

function routeOf({ pos, lp }: PlacedEdge, bottom: number): Route {
  const pointOf = (text: string): Point => {
    const [x = 0, y = 0] = numbers(text);
    return { x, y: bottom - y };
  };
  const parts = pos.split(' ');
  const tip = parts.find((part) => part.startsWith('e,'))?.slice(2) ?? parts.at(-1) ?? '';
  return {
    points: parts.filter((part) => /^[\d-]/.test(part)).map(pointOf),
    tip: pointOf(tip),
    label: lp === undefined ? undefined : pointOf(lp),
  };
}

function numbers(text: string): number[] {
  return text.split(',').map(Number);
}
