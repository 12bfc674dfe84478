/** One plot of a picture. */
export interface Panel {
  /** The name that its curves have. */
  readonly plot: string;
  readonly title: string;
  readonly unit: string;
  /** What the horizontal axis counts. */
  readonly axis: string;
  /** What the documentation promises about it, and how its cost is written in a sentence. @default nothing */
  readonly promise?: { readonly text: string; readonly cost: string };
}

/** A picture, and the file that it is in. */
export interface Picture {
  readonly path: string;
  readonly label: string;
  readonly columns: number;
  readonly panels: readonly Panel[];
}

export const plots = {
  burst: 'burst',
  single: 'single',
  accept: 'accept',
  topics: 'topics',
  join: 'join',
  where: 'where',
  leaving: 'leaving',
} as const;

/** The costs of the rows, with more connections and fewer. */
export const crowdPicture: Picture = {
  path: 'docs/benchmarks.svg',
  label: 'Cost against the number of connections',
  columns: 3,
  panels: [
    {
      plot: plots.burst,
      title: '16 messages at once',
      unit: 'µs of CPU for each delivery',
      axis: 'connections',
    },
    {
      plot: plots.single,
      title: 'One message',
      unit: 'µs of CPU for each delivery',
      axis: 'connections',
    },
    {
      plot: plots.accept,
      title: 'Coming and going',
      unit: 'µs of CPU for each connection',
      axis: 'connections',
    },
  ],
};

/** Costs that must not grow, or only in proportion: each is that of a single unit. */
export const growthPicture: Picture = {
  path: 'docs/benchmarks-growth.svg',
  label: 'Cost of one unit against the number of units',
  columns: 2,
  panels: [
    {
      plot: plots.topics,
      title: 'Publishing',
      unit: 'µs of CPU for each delivery',
      axis: 'topics of each member',
      promise: {
        text: 'Publishing does not depend on the number of topics that members are in',
        cost: 'A delivery',
      },
    },
    {
      plot: plots.join,
      title: 'Leaving and joining a topic',
      unit: 'µs of CPU for each pair',
      axis: 'members of the topic',
      promise: {
        text: 'Joining and leaving do not depend on the number of members',
        cost: 'Leaving and joining',
      },
    },
    {
      plot: plots.where,
      title: 'Publishing with where',
      unit: 'µs of CPU for each member',
      axis: 'members of the topic',
      promise: {
        text: 'A publication with `where` is linear in the number of members',
        cost: 'Each of them',
      },
    },
    {
      plot: plots.leaving,
      title: 'Leaving at once',
      unit: 'µs of CPU for each connection',
      axis: 'connections that leave',
      promise: {
        text: 'When many connections leave at once, the cost is linear in their number',
        cost: 'Each of them',
      },
    },
  ],
};

export const pictures: readonly Picture[] = [crowdPicture, growthPicture];
