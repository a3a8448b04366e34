import { classify } from '../definition/classify.ts'

/** Folders of data and of tiles: they may hold millions of files, none of which counts. */
const UNSEEN = /^(?:data|coverages|uploads|logs|gwc\/.+|gwc-layers\/.+)$/

/** Whether nothing is to be looked at there. In most folders a template may lie, whatever else they are for. */
export function isLeftOut(path: string, isFolder: boolean): boolean {
  if (!isFolder) return classify(path).leftOut !== undefined
  return UNSEEN.test(path) || classify(`${path}/content.ftl`).leftOut !== undefined
}

/** Whether a change of what is called so, file or folder, is of no interest. */
export function isUnheard(path: string): boolean {
  return classify(path).leftOut === 'temporary' || (isLeftOut(path, false) && isLeftOut(path, true))
}
