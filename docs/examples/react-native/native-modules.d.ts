// The parts of the two packages that the recipe uses. An application has their own types.

declare module 'react-native' {
  export const AppState: {
    addEventListener(
      type: 'change',
      listener: (state: 'active' | 'background' | 'inactive' | 'extension' | 'unknown') => void,
    ): { remove(): void };
  };
}

declare module '@react-native-community/netinfo' {
  const NetInfo: {
    /** Calls `listener` with the state now, and with each change. Returns what ends this. */
    addEventListener(listener: (state: { isConnected: boolean | null }) => void): () => void;
  };
  export default NetInfo;
}
