// Stands in for Google's benchmark_model on the loopback phone: same flags, same output, real LiteRT.
//
// Follows tflite/tools/benchmark of LiteRT 2.x, whose lines of statistics end in p5, median and p95 (those of
// TensorFlow up to 2.1x do not). As there, INFO and WARN of the tool go to standard output, ERROR and all that
// the runtime says to standard error. Only the flags that zenbench can give are known; others are named as
// unconsumed, as by the original.
//
// Start-up takes a few milliseconds. The runtime is libLiteRt.so of the pip package ai-edge-litert, through its
// C API for compiled models, which is declared below because the package comes without headers.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

extern "C" {
using Handle = void*;
using Status = int;
struct LiteRtAny {
    int type;
    int64_t value;
};
struct LiteRtEnvOption {
    int tag;
    LiteRtAny value;
};
struct LiteRtRankedTensorType {
    int element_type;
    char layout[68];
};
Status LiteRtCreateEnvironment(int count, const LiteRtEnvOption*, Handle* environment);
Status LiteRtCreateModelFromBuffer(Handle environment, const void* address, size_t bytes, Handle* model);
Status LiteRtCreateOptions(Handle* options);
Status LiteRtSetOptionsHardwareAccelerators(Handle options, int accelerators);
Status LiteRtCreateOpaqueOptions(const char* identifier, void* data, void (*destroy)(void*), Handle* opaque);
Status LiteRtAddOpaqueOptions(Handle options, Handle opaque);
Status LiteRtCreateCompiledModel(Handle environment, Handle model, Handle options, Handle* compiled);
Status LiteRtCompiledModelIsFullyAccelerated(Handle compiled, bool* fully);
Status LiteRtGetModelSignature(Handle model, size_t index, Handle* signature);
Status LiteRtGetNumSignatureInputs(Handle signature, size_t* count);
Status LiteRtGetNumSignatureOutputs(Handle signature, size_t* count);
Status LiteRtGetSignatureInputTensorByIndex(Handle signature, size_t index, Handle* tensor);
Status LiteRtGetSignatureOutputTensorByIndex(Handle signature, size_t index, Handle* tensor);
Status LiteRtGetRankedTensorType(Handle tensor, LiteRtRankedTensorType*);
Status LiteRtGetCompiledModelInputBufferRequirements(Handle compiled, size_t signature, size_t index, Handle*);
Status LiteRtGetCompiledModelOutputBufferRequirements(Handle compiled, size_t signature, size_t index, Handle*);
Status LiteRtCreateManagedTensorBufferFromRequirements(Handle environment, const LiteRtRankedTensorType*,
                                                       Handle requirements, Handle* buffer);
Status LiteRtGetTensorBufferPackedSize(Handle buffer, size_t* bytes);
Status LiteRtLockTensorBuffer(Handle buffer, void** address, int mode);
Status LiteRtUnlockTensorBuffer(Handle buffer);
Status LiteRtRunCompiledModel(Handle compiled, size_t signature, size_t inputs, Handle*, size_t outputs, Handle*);
}

namespace {

constexpr int kAutoRegisterAccelerators = 24, kMinLoggerSeverity = 25, kAnyInt = 2;
constexpr int kCpu = 1, kSilent = 4, kLockToWrite = 1;
constexpr int kFloat32 = 1, kInt8 = 9;

struct Failure {
    std::string message;
};

Failure unloadable(const std::string& reason, const std::string& path) {
    return {reason + "\nERROR: Failed to load model " + path};
}

void check(Status status, const std::string& message) {
    if (status != 0) throw Failure{message};
}

template <typename... Parts>
void info(const Parts&... parts) {
    std::ostringstream line;
    (line << ... << parts);
    std::cout << "INFO: " << line.str() << std::endl;
}

int64_t now_us() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

int64_t memory_kib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

struct Settings {
    std::string graph;
    int num_runs = 50, num_threads = -1, warmup_runs = 1;
    float min_secs = 1, max_secs = 150, warmup_min_secs = 0.5;
    bool use_gpu = false, gpu_loss = true, use_xnnpack = false, xnnpack_given = false;
};

// One flag: its name, the name it is logged by, how its value is read (and made as it is logged).
struct Flag {
    std::string name, title;
    std::function<bool(std::string&)> read;
    std::string given;  // the value as it is logged; empty where the flag was not given
};

template <typename T>
Flag number(const std::string& name, const std::string& title, T& into) {
    return {name, title, [&into](std::string& text) {
                std::istringstream stream(text);
                if (!(stream >> into) || !stream.eof()) return false;
                std::ostringstream logged;
                logged << into;
                text = logged.str();
                return true;
            }, ""};
}

Flag boolean(const std::string& name, const std::string& title, bool& into) {
    return {name, title, [&into](std::string& text) {
                if (text != "true" && text != "false" && text != "0" && text != "1") return false;
                into = text == "true" || text == "1";
                text = into ? "1" : "0";
                return true;
            }, ""};
}

// In the order in which the original logs them.
std::vector<Flag> all_flags(Settings& s) {
    Flag graph{"graph", "Graph", [&s](std::string& text) { s.graph = text; return true; }, ""};
    return {number("num_runs", "Min num runs", s.num_runs),
            number("min_secs", "Min runs duration (seconds)", s.min_secs),
            number("max_secs", "Max runs duration (seconds)", s.max_secs),
            number("num_threads", "Num threads", s.num_threads),
            number("warmup_runs", "Min warmup runs", s.warmup_runs),
            number("warmup_min_secs", "Min warmup runs duration (seconds)", s.warmup_min_secs),
            graph,
            boolean("use_gpu", "Use gpu", s.use_gpu),
            boolean("gpu_precision_loss_allowed", "Allow lower precision in gpu", s.gpu_loss),
            boolean("use_xnnpack", "Use xnnpack", s.use_xnnpack)};
}

void parse(int argc, char** argv, std::vector<Flag>& flags) {
    std::string unconsumed, bad;
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        bool known = false;
        for (Flag& flag : flags) {
            const std::string prefix = "--" + flag.name + "=";
            if (argument.compare(0, prefix.size(), prefix) != 0) continue;
            known = true;
            flag.given = argument.substr(prefix.size());
            if (!flag.read(flag.given)) {
                bad += "ERROR: Failed to parse flag '" + flag.name + "' against argv '" + argument + "'\n";
            }
        }
        if (!known) unconsumed += (unconsumed.empty() ? "" : " ") + argument;
    }
    if (!bad.empty()) {
        std::cerr << bad;
        throw Failure{std::string("usage: ") + argv[0] + " <flags>"};
    }
    if (!unconsumed.empty()) std::cout << "WARN: Unconsumed cmdline flags: " << unconsumed << std::endl;
}

void log_parameters(const std::vector<Flag>& flags) {
    info("Log parameter values verbosely: [0]");
    std::string threads;
    for (const Flag& flag : flags) {
        if (flag.name == "graph") {
            info("Graph: [", flag.given, "]");
            info("Signature to run: []");
            // Said a second time, by what the original calls its delegate providers.
            if (!threads.empty()) info("#threads used for CPU inference: [", threads, "]");
        } else if (!flag.given.empty()) {
            info(flag.title, ": [", flag.given, "]");
            if (flag.name == "num_threads") threads = flag.given;
        }
    }
}

// Times of one series of runs, in microseconds.
struct Statistics {
    std::vector<int64_t> us;

    double average() const {
        double sum = 0;
        for (const int64_t value : us) sum += value;
        return sum / us.size();
    }
    int64_t percentile(int percent) const {
        std::vector<int64_t> sorted = us;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() * percent / 100];
    }
    std::string text() const {
        std::ostringstream line;
        const int64_t least = *std::min_element(us.begin(), us.end());
        const int64_t most = *std::max_element(us.begin(), us.end());
        line << "count=" << us.size();
        if (least == most) {
            line << " curr=" << us.back() << (us.size() > 1 ? "(all same)" : "");
        } else {
            double squares = 0;
            for (const int64_t value : us) squares += static_cast<double>(value) * value;
            const double variance = std::max(squares / us.size() - average() * average(), 0.0);
            line << " first=" << us.front() << " curr=" << us.back() << " min=" << least << " max=" << most
                 << " avg=" << average() << " std=" << static_cast<int64_t>(std::sqrt(variance));
        }
        line << " p5=" << percentile(5) << " median=" << percentile(50) << " p95=" << percentile(95);
        return line.str();
    }
};

// The file in memory, for as long as the program runs.
std::pair<const void*, size_t> map_file(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (file < 0 || fstat(file, &status) != 0) throw unloadable("Could not open '" + path + "'.", path);
    const auto bytes = static_cast<size_t>(status.st_size);
    const void* address = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (address == MAP_FAILED) throw unloadable("The model allocation is null/empty", path);
    return {address, bytes};
}

class Model {
   public:
    explicit Model(const Settings& settings) {
        const LiteRtEnvOption environment_options[] = {{kAutoRegisterAccelerators, {kAnyInt, kCpu}},
                                                       {kMinLoggerSeverity, {kAnyInt, kSilent}}};
        check(LiteRtCreateEnvironment(2, environment_options, &environment_), "Failed to initialize the interpreter");
        // From memory, since only then LiteRT verifies that all of the file is there, as the original does.
        const auto [address, bytes] = map_file(settings.graph);
        if (LiteRtCreateModelFromBuffer(environment_, address, bytes, &model_) != 0) {
            throw unloadable("The model is not a valid Flatbuffer buffer", settings.graph);
        }
        info("Loaded model ", settings.graph);
        if (settings.use_gpu) {
            std::cout << "WARN: The GPU delegate compile options are only supported on Android or iOS platforms or "
                         "when the tool was built with -DCL_DELEGATE_NO_GL." << std::endl;
            std::cout << "WARN: GPU acceleration is unsupported on this platform." << std::endl;
        }
        // XNNPACK is the runtime's default: only an explicit false takes it away.
        const bool xnnpack = settings.use_xnnpack || !settings.xnnpack_given;
        const std::string cpu = "num_threads = " + std::to_string(std::max(settings.num_threads, 1)) +
                                "\nkernel_mode = \"" + (xnnpack ? "xnnpack" : "builtin") + "\"\n";
        Handle options, cpu_options;
        check(LiteRtCreateOptions(&options), "no options");
        check(LiteRtSetOptionsHardwareAccelerators(options, kCpu), "no CPU");
        check(LiteRtCreateOpaqueOptions("xnnpack", strdup(cpu.c_str()), free, &cpu_options), "no CPU options");
        check(LiteRtAddOpaqueOptions(options, cpu_options), "no CPU options");
        check(LiteRtCreateCompiledModel(environment_, model_, options, &compiled_), "Failed to allocate tensors!");
        if (settings.use_xnnpack) log_xnnpack();
        create_buffers();
    }

    void fill_inputs() {
        std::mt19937 random(std::random_device{}());
        for (size_t i = 0; i < inputs_.size(); i++) {
            void* address;
            size_t bytes;
            check(LiteRtGetTensorBufferPackedSize(inputs_[i], &bytes), "no size of an input");
            check(LiteRtLockTensorBuffer(inputs_[i], &address, kLockToWrite), "no memory of an input");
            if (input_types_[i] == kFloat32) {
                std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
                auto* values = static_cast<float*>(address);
                std::generate(values, values + bytes / sizeof(float), [&] { return uniform(random); });
            } else {
                std::uniform_int_distribution<int> uniform(input_types_[i] == kInt8 ? -127 : 0, 127);
                auto* values = static_cast<int8_t*>(address);
                std::generate(values, values + bytes, [&] { return static_cast<int8_t>(uniform(random)); });
            }
            check(LiteRtUnlockTensorBuffer(inputs_[i]), "an input stays locked");
        }
    }

    Statistics run(int min_runs, float min_secs, float max_secs) {
        info("Running benchmark for at least ", min_runs, " iterations and at least ", min_secs,
             " seconds but terminate if exceeding ", max_secs, " seconds.");
        Statistics statistics;
        int64_t now = now_us();
        const int64_t least_end = now + static_cast<int64_t>(min_secs * 1e6f);
        const int64_t last_end = now + static_cast<int64_t>(max_secs * 1e6f);
        for (int i = 0; (i < min_runs || now < least_end) && now <= last_end; i++) {
            const int64_t start = now_us();
            check(LiteRtRunCompiledModel(compiled_, 0, inputs_.size(), inputs_.data(), outputs_.size(),
                                         outputs_.data()),
                  "Failed to invoke the model");
            statistics.us.push_back(now_us() - start);
            now = now_us();
        }
        if (statistics.us.empty()) throw Failure{"no run"};
        info(statistics.text(), "\n");
        return statistics;
    }

   private:
    void log_xnnpack() {
        bool fully;
        check(LiteRtCompiledModelIsFullyAccelerated(compiled_, &fully), "no word about the delegate");
        info("XNNPACK delegate created.");
        // In how many pieces a part was taken over is not told by the C API; the usual number stands for it.
        info("Explicitly applied XNNPACK delegate, and the model graph will be ",
             fully ? "completely executed by the delegate."
                   : "partially executed by the delegate w/ 1 delegate kernels.");
    }

    void create_buffers() {
        const std::string message = "Failed to allocate tensors!";
        Handle signature;
        size_t inputs, outputs;
        check(LiteRtGetModelSignature(model_, 0, &signature), message);
        check(LiteRtGetNumSignatureInputs(signature, &inputs), message);
        check(LiteRtGetNumSignatureOutputs(signature, &outputs), message);
        for (size_t i = 0; i < inputs + outputs; i++) {
            const bool input = i < inputs;
            const size_t index = input ? i : i - inputs;
            LiteRtRankedTensorType type;
            Handle tensor, requirements, buffer;
            const auto get_tensor = input ? LiteRtGetSignatureInputTensorByIndex : LiteRtGetSignatureOutputTensorByIndex;
            const auto get_requirements = input ? LiteRtGetCompiledModelInputBufferRequirements
                                                : LiteRtGetCompiledModelOutputBufferRequirements;
            check(get_tensor(signature, index, &tensor), message);
            check(LiteRtGetRankedTensorType(tensor, &type), message);
            check(get_requirements(compiled_, 0, index, &requirements), message);
            check(LiteRtCreateManagedTensorBufferFromRequirements(environment_, &type, requirements, &buffer), message);
            (input ? inputs_ : outputs_).push_back(buffer);
            if (input) input_types_.push_back(type.element_type);
        }
    }

    Handle environment_, model_, compiled_;
    std::vector<Handle> inputs_, outputs_;
    std::vector<int> input_types_;
};

void benchmark(int argc, char** argv) {
    Settings settings;
    std::vector<Flag> flags = all_flags(settings);
    parse(argc, argv, flags);
    settings.xnnpack_given = !flags.back().given.empty();
    if (settings.graph.empty()) throw Failure{"Please specify the name of your TF Lite input file with --graph"};
    log_parameters(flags);

    const int64_t kib_at_start = memory_kib();
    const int64_t start_us = now_us();
    Model model(settings);
    const int64_t init_us = now_us() - start_us;
    const double init_mib = (memory_kib() - kib_at_start) / 1024.0;
    struct stat file {};
    stat(settings.graph.c_str(), &file);
    info("The input model file size (MB): ", file.st_size / 1e6);
    info("Initialized session in ", init_us / 1e3, "ms.");

    model.fill_inputs();
    const Statistics warmup = model.run(settings.warmup_runs, settings.warmup_min_secs, settings.max_secs);
    const Statistics inference = model.run(settings.num_runs, settings.min_secs, settings.max_secs);
    info("Inference timings in us: Init: ", init_us, ", First inference: ", warmup.us.front(),
         ", Warmup (avg): ", warmup.average(), ", Inference (avg): ", inference.average());
    info("Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual "
         "memory footprint of the model at runtime. Take the information at your discretion.");
    info("Memory footprint delta from the start of the tool (MB): init=", init_mib,
         " overall=", (memory_kib() - kib_at_start) / 1024.0);
}

}  // namespace

int main(int argc, char** argv) {
    info("STARTING!");
    try {
        benchmark(argc, argv);
    } catch (const Failure& failure) {
        std::cerr << "ERROR: " << failure.message << "\nERROR: Benchmarking failed." << std::endl;
        return EXIT_FAILURE;
    }
    std::cout.flush();
    _exit(EXIT_SUCCESS);  // taking the runtime apart would only take time
}
