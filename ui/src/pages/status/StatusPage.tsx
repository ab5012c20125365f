export default function StatusPage() { return <div class="page" />; }
