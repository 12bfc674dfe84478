import NetInfo from '@react-native-community/netinfo';
import { AppState } from 'react-native';
import type { HostSigns } from '../../../src/client/browser.ts';

/** The option `signs` of a client in React Native. It replaces the events of a page. */
export function nativeSigns(host: HostSigns): () => void {
  const app = AppState.addEventListener('change', (state) => {
    if (state === 'active') host.woke();
  });
  // Unknown at first: `null` is neither.
  const forgetNetwork = NetInfo.addEventListener(({ isConnected }) => {
    if (isConnected === true) host.online();
    if (isConnected === false) host.offline();
  });
  return () => {
    app.remove();
    forgetNetwork();
  };
}
