/** What to type on a server that is to become a node, with every option `join` requires. */
export function joinLine({ url, code }: { readonly url: string; readonly code: string }): string {
  return `flotilla join ${url} ${code} --node NAME --content-dir DIR`
}

/** What the words in capitals of the line stand for. */
export const JOIN_ADVICE =
  'DIR is the content/erddap folder there; add --erddap-url URL of its ERDDAP, without which nothing can be proved'
