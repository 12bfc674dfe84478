// The parts of the two packages that the example uses. An application uses the types of the packages.

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
    /** Calls `listener` with the current state and with each change. Returns a function that stops this. */
    addEventListener(listener: (state: { isConnected: boolean | null }) => void): () => void;
  };
  export default NetInfo;
}
