import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

/** An OpenSearch of one node on loopback, with the plugins of the class path: Serve DIRECTORY HTTP-PORT TRANSPORT-PORT PLUGIN… */
public class Serve extends Node {
    Serve(Environment environment, Collection<Class<? extends Plugin>> plugins) {
        super(environment, plugins, false);
    }

    public static void main(String[] args) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", args[0]).put("cluster.name", "test").put("node.name", "one")
            .put("network.host", "127.0.0.1").put("http.port", args[1]).put("transport.port", args[2]).put("discovery.type", "single-node")
            .put("http.type", "netty4").put("transport.type", "netty4").put("node.processors", 1)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        List<Class<? extends Plugin>> plugins = new ArrayList<>();
        for (int i = 3; i < args.length; i++) {
            plugins.add(Class.forName(args[i]).asSubclass(Plugin.class));
        }
        Serve node = new Serve(new Environment(settings, Path.of(args[0], "config")), plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        node.start();
        Thread.currentThread().join();
    }
}
