export default function X(_p: { session: unknown; tab?: string; placed?: unknown; annotations?: unknown }) { return null; }
