/** Whether only this machine can be meant: `localhost`, `127.x.y.z`, `::1`, with or without brackets. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
