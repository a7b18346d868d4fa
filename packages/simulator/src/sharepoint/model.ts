/** A SharePoint site with what people keep in it, as far as Graph shows it. */
export interface SharePointSite {
  /** `host,site collection,site`. */
  id: string;
  /** appIds that were given the site: with `Sites.Selected` a program sees these sites and no others. */
  readers: string[];
  lists: SharePointList[];
  drives: SharePointDrive[];
}

export interface SharePointList {
  id: string;
  displayName: string;
  columns: { name: string; displayName: string; hidden: boolean; readOnly: boolean }[];
  /** By number; numbers are never given twice. */
  items: { id: number; fields: Record<string, unknown> }[];
  changedMs: number;
}

/** A document library. */
export interface SharePointDrive {
  id: string;
  /** Content by path. */
  files: Record<string, string>;
}
