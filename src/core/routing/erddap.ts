import type { Query } from './target.ts'

/*
 * The forms of ERDDAP's URLs, for the part of the path below its base. Group 1 of each is the datasetID. The proxies'
 * rules are made of the same expressions, so they keep to what JavaScript and PCRE both understand.
 * facts: ERDDAP's Erddap.java, doGet and the methods it calls.
 */

/** A page in another language: `/erddap/fr/griddap/…`, `/erddap/zh-CN/…`. */
export const ERDDAP_LANGUAGE = '(?:[a-z]{2}(?:-[A-Z]{2})?/)?'

const ID = '[A-Za-z0-9_][A-Za-z0-9_.-]*'

export const ERDDAP_FORMS = [
  // An id may hold dots itself: the type of file stands behind the last one.
  `(?:griddap|tabledap)/(${ID}?)(?:\\.[A-Za-z0-9]+)?/?`,
  `(?:info|wms|wcs|sos|files)/(${ID})(?:/.*)?`,
  `metadata/(?:fgdc|iso19115)/xml/(${ID}?)_(?:fgdc|iso19115)\\.xml`,
  `rss/(${ID})\\.rss`,
] as const

/** Pages that look like a dataset's and are not, and the dataset that every ERDDAP makes of its own: no key. */
export const ERDDAP_NOT_A_DATASET =
  '(?:griddap|tabledap|info|wms|wcs|sos|files)/(?:(?:index|documentation)\\.[A-Za-z0-9]+|allDatasets(?:[./].*)?)'

/** What one ERDDAP alone must not be told: flags are for the dataset on every node. */
export const ERDDAP_EVERY_NODE = 'setDatasetFlag\\.txt'

/** Where the path names none: `setDatasetFlag.txt`, subscriptions. Its name in any case. */
export const ERDDAP_PARAMETER = 'datasetid'

const LANGUAGE = new RegExp(`^${ERDDAP_LANGUAGE}`)
const FORMS = ERDDAP_FORMS.map((form) => new RegExp(`^${form}$`, 's'))
const NOT_A_DATASET = new RegExp(`^${ERDDAP_NOT_A_DATASET}$`, 's')
const EVERY_NODE = new RegExp(`^${ERDDAP_LANGUAGE}${ERDDAP_EVERY_NODE}$`)
const WHOLE_ID = new RegExp(`^${ID}$`)

export function erddapKey(rest: string, query: Query): string | undefined {
  const page = rest.replace(LANGUAGE, '')
  if (!NOT_A_DATASET.test(page)) {
    for (const form of FORMS) {
      const id = form.exec(page)?.[1]
      if (id !== undefined) return id
    }
  }
  const named = query(ERDDAP_PARAMETER)
  return named !== undefined && WHOLE_ID.test(named) && named !== 'allDatasets' ? named : undefined
}

export function isForEveryErddap(rest: string): boolean {
  return EVERY_NODE.test(rest)
}
