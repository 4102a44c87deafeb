// The default service through the C# client that NSwag writes of it.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Http;
using System.Threading.Tasks;
using Inference;
using Newtonsoft.Json;

class Asked
{
    public List<ProgressionInstance> Progression { get; set; }
    public List<IrisInstance> Iris { get; set; }
}

static class Program
{
    // Mono's compiler knows no asynchronous Main.
    static int Main(string[] arguments) => Ask(arguments[0]).GetAwaiter().GetResult();

    static async Task<int> Ask(string url)
    {
        var asked = JsonConvert.DeserializeObject<Asked>(Console.In.ReadToEnd());
        using (var http = new HttpClient())
        {
            var client = new Client(url, http);
            var numbers = new List<double>();
            foreach (var instance in asked.Progression)
                numbers.Add((await client.Post_predict_progression_predict_progression_postAsync(instance)).Prediction);
            var classes = new List<IrisPredictionPrediction>();
            foreach (var instance in asked.Iris)
                classes.Add((await client.Post_predict_iris_predict_iris_postAsync(instance)).Prediction);
            var rows = new ProgressionBatch { Instances = asked.Progression };
            var batch = await client.Post_predict_progression_batch_predict_progression_batch_postAsync(rows);
            asked.Progression[0].Age = 1000;
            try
            {
                await client.Post_predict_progression_predict_progression_postAsync(asked.Progression[0]);
                return 1;
            }
            catch (ApiException<Problem> problem) when (problem.StatusCode == 422)
            {
                if (!problem.Result.Errors.Any(error => error.Pointer == "/age"))
                    throw;
            }
            var answers = new Dictionary<string, object>
            {
                ["progression"] = numbers,
                ["progression, batch"] = batch.Predictions,
                ["iris"] = classes,
            };
            Console.WriteLine(JsonConvert.SerializeObject(answers, new Newtonsoft.Json.Converters.StringEnumConverter()));
        }
        return 0;
    }
}
