export default function ExplorePage() { return <div class="page" />; }
