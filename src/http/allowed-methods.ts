import type { RouterRoute } from 'hono/types'

/** What `Allow` says of each path, from the methods of its routes; a route of GET takes HEAD as well. RFC 9110 section 10.2.1. */
export function allowedMethods(routes: readonly RouterRoute[]): Map<string, string> {
  const allowed = new Map<string, string>()
  for (const [path, same] of Map.groupBy(routes, (route) => route.path)) {
    const methods = same.map(({ method }) => method).filter((method) => method !== 'ALL')
    const names = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    if (names.length > 0) allowed.set(path, [...new Set(names)].join(', '))
  }
  return allowed
}
